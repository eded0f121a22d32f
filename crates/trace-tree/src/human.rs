//! Durations and instants the way a person reads them.

use std::time::Duration;

use time::OffsetDateTime;

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000 * MICRO;
const SECOND: u64 = 1_000 * MILLI;

/// A duration in the unit a person would choose.
///
/// ```
/// use std::time::Duration;
/// use trace_tree::human_duration;
///
/// assert_eq!(human_duration(Duration::from_micros(85)), "85 µs");
/// assert_eq!(human_duration(Duration::from_micros(2_140)), "2.1 ms");
/// assert_eq!(human_duration(Duration::from_millis(120)), "120 ms");
/// assert_eq!(human_duration(Duration::from_millis(1_200)), "1.20 s");
/// assert_eq!(human_duration(Duration::from_secs(65)), "1m 05s");
/// ```
#[must_use]
pub fn human_duration(duration: Duration) -> String {
    human_nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// Each unit begins where the one below would round up to a figure too many.
pub(crate) fn human_nanos(nanos: u64) -> String {
    if nanos < MICRO {
        return format!("{nanos} ns");
    }
    let micros = rounded(nanos, MICRO);
    if micros < 1_000 {
        return format!("{micros} µs");
    }
    let tenths = rounded(nanos, MILLI / 10);
    if tenths < 100 {
        return format!("{}.{} ms", tenths / 10, tenths % 10);
    }
    let millis = rounded(nanos, MILLI);
    if millis < 1_000 {
        return format!("{millis} ms");
    }
    let hundredths = rounded(nanos, SECOND / 100);
    if hundredths < 6_000 {
        return format!("{}.{:02} s", hundredths / 100, hundredths % 100);
    }
    let seconds = rounded(nanos, SECOND);
    if seconds < 3_600 {
        return format!("{}m {:02}s", seconds / 60, seconds % 60);
    }
    let minutes = seconds / 60;
    format!("{}h {:02}m", minutes / 60, minutes % 60)
}

fn rounded(nanos: u64, unit: u64) -> u64 {
    nanos.saturating_add(unit / 2) / unit
}

/// `2026-11-21T06:42:48.123Z`.
pub(crate) fn human_instant(unix_nanos: u64) -> String {
    match OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_nanos)) {
        Ok(instant) => format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            instant.year(),
            u8::from(instant.month()),
            instant.day(),
            instant.hour(),
            instant.minute(),
            instant.second(),
            instant.millisecond()
        ),
        // Cannot happen before the year 9999, and u64 ends in 2554.
        Err(_) => format!("{unix_nanos} ns"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_rounds_up_moves_to_the_next_unit() {
        assert_eq!(human_nanos(0), "0 ns");
        assert_eq!(human_nanos(999), "999 ns");
        assert_eq!(human_nanos(999_600), "1.0 ms");
        assert_eq!(human_nanos(9_960_000), "10 ms");
        assert_eq!(human_nanos(999_600_000), "1.00 s");
        assert_eq!(human_nanos(59_996_000_000), "1m 00s");
        assert_eq!(human_nanos(3_725 * SECOND), "1h 02m");
        assert_eq!(human_nanos(u64::MAX), "5124095h 34m");
    }

    #[test]
    fn an_instant_is_written_in_utc() {
        assert_eq!(
            human_instant(1_795_243_368_123_456_789),
            "2026-11-21T06:42:48.123Z"
        );
        assert_eq!(human_instant(0), "1970-01-01T00:00:00.000Z");
    }
}
