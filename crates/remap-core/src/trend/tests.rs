//! Hours and their errors.

use super::{HOUR_MS, MINUTE_MS, Trend};

#[test]
fn errors_are_counted_by_the_hour() {
    let mut trend = Trend::default();
    // One error a minute for three hours.
    for minute in 0..=180 {
        trend.sample(minute * MINUTE_MS, minute);
    }
    assert_eq!(trend.hours(3 * HOUR_MS, 180), (60, 60));
    assert_eq!(trend.hours(3 * HOUR_MS + 30 * MINUTE_MS, 180), (30, 60));
    assert_eq!(trend.hours(4 * HOUR_MS, 180), (0, 60));
}

#[test]
fn before_an_hour_has_passed_all_errors_are_of_the_last_one() {
    let mut trend = Trend::default();
    assert_eq!(trend.hours(5, 3), (3, 0));
    trend.sample(0, 0);
    assert_eq!(trend.hours(30 * MINUTE_MS, 7), (7, 0));
}

#[test]
fn samples_are_a_minute_apart_however_often_they_are_offered() {
    let mut trend = Trend::default();
    for second in 0..=4 * 3600 {
        trend.sample(second * 1000, second);
    }
    assert_eq!(trend.hours(4 * HOUR_MS, 4 * 3600), (3600, 3600));
}
