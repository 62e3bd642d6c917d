//! Which diagnostics are shown: `RUST_LOG`, read so that no text of it ends the program.

use tracing_subscriber::EnvFilter;

/// No diagnostics are records of a trace.
const NO_RECORDS: &str = "onesided::record=off";

/// The filter that `wanted` asks for, in the words of `tracing-subscriber`; warnings where it is empty.
///
/// Works around tracing-subscriber 0.3.23, which panics on some texts that are not ASCII: it cuts them between
/// the bytes of a character. No target of this program has such a name.
///
/// # Errors
/// Why it is none, in one line.
pub fn filter(wanted: &str) -> Result<EnvFilter, String> {
    if !wanted.is_ascii() {
        return Err("it has characters beyond ASCII".into());
    }
    let level = if wanted.is_empty() { "warn" } else { wanted };
    let filter = EnvFilter::try_new(format!("{level},{NO_RECORDS}"));
    filter.map_err(|error| error.to_string().replace(['\n', '\r'], " "))
}

/// The filter where `RUST_LOG` cannot be heeded.
///
/// # Panics
/// Never.
pub fn warnings() -> EnvFilter {
    EnvFilter::new(format!("warn,{NO_RECORDS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of the texts that random input found.
    const FATAL: &str = "\n infouniform:5ms..15ms 数=uniform:9s..1s3=200ms=double_scores:true";

    #[test]
    fn what_is_no_filter_is_said_and_ends_nothing() {
        assert!(filter("").is_ok() && filter("onesided=debug").is_ok());
        assert!(filter("onesided=loud,=,").is_err());
        assert!(filter(FATAL).is_err());
    }

    #[test]
    fn the_workaround_is_still_needed() {
        let outcome = std::panic::catch_unwind(|| EnvFilter::try_new(FATAL).map(drop));
        assert!(
            outcome.is_err(),
            "characters beyond ASCII can be let through: {outcome:?}"
        );
    }
}
