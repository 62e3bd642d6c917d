//! CSV: RFC 4180, but that lines end with LF, as data frames and Unix tools have them.

use std::io::{self, Write};

use super::merge::Span;
use super::rows::{self, COLUMNS, Layout};

const LAYOUT: Layout = Layout {
    before: ["", ",", ",", ",", ",", ",", ",", ",", ",", ",", ","],
    after: "\n",
};

pub(super) fn write(
    spans: &mut impl Iterator<Item = Span>,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "{}", COLUMNS.join(","))?;
    rows::write(&LAYOUT, spans, out)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{small, spans};

    #[test]
    fn a_small_run_is_written_as_it_is_documented() {
        let mut out = Vec::new();
        super::write(&mut spans(small()), &mut out).unwrap();
        let expected = "\
rank,seq,game,kind,outcome,begin_ns,end_ns,duration_ns,item,word,error_ns
1,0,0,allreduce,announced,0,10,10,0,0xffffffffffffffff,0
0,0,0,think,none,5,10,5,0,0x0,0
0,1,0,claim,won,10,12,2,9,0x100,0
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
