//! Durations as Go writes them (`1h30m`, `1.5s`, `100ms`), in nanoseconds.

/// Reads a duration that is not negative; `None` if it is not one.
pub(crate) fn parse(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total = 0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let (unit, after) = unit(&rest[digits..])?;
        total += number * unit;
        rest = after;
    }
    // 2^63 nanoseconds, about 292 years: Go's limit.
    (!text.is_empty() && total < 9.223_372_036_854_775e18).then(|| total.round() as u64)
}

fn unit(text: &str) -> Option<(f64, &str)> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1.0),
        ("us", 1e3),
        ("µs", 1e3),
        ("μs", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
        ("m", 60e9),
        ("h", 3600e9),
    ];
    UNITS
        .iter()
        .find_map(|(name, scale)| Some((*scale, text.strip_prefix(name)?)))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("0", 0),
            ("100ms", 100_000_000),
            ("1.5s", 1_500_000_000),
            ("1h2m3s", 3_723_000_000_000),
            ("5us", 5_000),
            ("5µs", 5_000),
            ("7ns", 7),
        ] {
            assert_eq!(parse(text), Some(nanos), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in [
            "",
            "10",
            "ms",
            "-1s",
            "1d",
            "1.2.3s",
            "1s ",
            "999999999h",
            "1é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
