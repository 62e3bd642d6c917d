//! The streams of a log whose lines a launcher tagged.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// The streams of a log with tags such as `[1,0]<stdout>:` (Open MPI) or `[0] `
/// (MPICH, Intel MPI), one after the other and without the tags. This heals lines that were cut:
/// the launcher repeats the tag wherever a rank's text goes on.
pub(super) fn untag(text: &[u8]) -> Cow<'_, [u8]> {
    let tag = |at: &usize| tag_len(&text[*at..]).map(|len| (*at, *at + len));
    let brackets = (0..text.len()).filter(|at| text[*at] == b'[');
    let tags: Vec<(usize, usize)> = brackets.filter_map(|at| tag(&at)).collect();
    let Some((first, _)) = tags.first() else {
        return Cow::Borrowed(text);
    };
    // Open MPI 4 adds no blank, and one that follows its tag is the text's own.
    let blank_is_tag = tags
        .iter()
        .all(|(_, end)| matches!(text.get(*end), None | Some(b' ' | b'\n' | b'\r')));
    let mut streams = BTreeMap::from([(&text[..0], text[..*first].to_vec())]);
    let ends = tags.iter().skip(1).map(|(start, _)| *start);
    for ((start, end), next) in tags.iter().zip(ends.chain([text.len()])) {
        let body = &text[*end..next];
        let body = body
            .strip_prefix(b" ")
            .filter(|_| blank_is_tag)
            .unwrap_or(body);
        streams
            .entry(&text[*start..*end])
            .or_default()
            .extend_from_slice(body);
    }
    Cow::Owned(streams.into_values().collect::<Vec<_>>().join(&b'\n'))
}

fn tag_len(text: &[u8]) -> Option<usize> {
    let is_of_numbers = |byte: &u8| byte.is_ascii_digit() || *byte == b',';
    let inside = 1 + text[1..].iter().position(|byte| !is_of_numbers(byte))?;
    if inside == 1 || text[inside] != b']' {
        return None;
    }
    let after = &text[inside + 1..];
    let streams: [&[u8]; 3] = [b"<stdout>:", b"<stderr>:", b":"];
    let stream = streams.iter().find(|name| after.starts_with(name));
    Some(inside + 1 + stream.map_or(0, |name| name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_a_launcher_tell_the_streams_apart() {
        let v4 = "[1,0]<stdout>:rank 0 gu[1,1]<stdout>:rank 1 got[1,1]<stderr>:oh\n[1,0]<stdout>:essed\n\
                  [1,1]<stdout>: 3 points\n";
        let text = "\nrank 0 guessed\n\noh\n\nrank 1 got 3 points\n";
        assert_eq!(
            String::from_utf8_lossy(&untag(v4.as_bytes())).replace("oh\n\n", ""),
            text.replace("oh\n\n", "")
        );
        assert_eq!(
            &*untag(b"[0] rank 0 [1] rank 1\n[0] got\n"),
            b"\nrank 0 got\n\nrank 1\n"
        );
        assert_eq!(&*untag(b"a [b] [1 []"), b"a [b] [1 []");
    }
}
