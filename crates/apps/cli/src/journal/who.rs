//! Who does something, where, and when, as the journal says it.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const TIME: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");

const STAMP: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// The account and the machine that a command runs under.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    /// The account's name, or its number where it has none.
    pub(crate) by: String,
    /// The machine's name.
    pub(crate) host: String,
}

impl Who {
    /// Whoever runs this process.
    pub(crate) fn runs() -> Self {
        let account = nix::unistd::getuid();
        // Of the system and not of the environment, in which anybody is anybody.
        let known = nix::unistd::User::from_uid(account).ok().flatten();
        let by = known.map_or_else(|| account.to_string(), |user| user.name);
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
        Self { by, host }
    }
}

/// A time of the journal for people.
pub(crate) fn when(at_us: i64) -> String {
    written(at_us, TIME)
}

/// The same for programs, as certificates write times.
pub(crate) fn stamp(at_us: i64) -> String {
    written(at_us, STAMP)
}

fn written(at_us: i64, form: &[BorrowedFormatItem<'static>]) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_us) * 1000)
        .ok()
        .and_then(|time| time.format(form).ok())
        .unwrap_or_else(|| format!("{at_us} microseconds after 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_down_to_the_second() {
        assert_eq!(when(1_700_000_000_999_999), "2023-11-14 22:13:20 UTC");
        assert_eq!(stamp(1_700_000_000_999_999), "2023-11-14T22:13:20Z");
        assert_eq!(when(i64::MAX), "9223372036854775807 microseconds after 1970");
    }
}
