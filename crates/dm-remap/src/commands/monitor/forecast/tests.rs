use proptest::prelude::*;

use super::*;

/// A day at a steady rate, sampled every quarter of an hour.
fn steady(slots_per_hour: u64) -> Forecast {
    let mut forecast = Forecast::default();
    for quarter in 0..=96 {
        forecast.sample(quarter * 900, quarter * slots_per_hour / 4);
    }
    forecast
}

#[test]
fn a_steady_rate_is_carried_on() {
    let forecast = steady(4);
    assert_eq!(forecast.full_in_s(DAY_S, 96, 96 + 4 * 24 * 12), Some(12 * DAY_S));
    assert_eq!(words(12 * DAY_S), "in about 12 days");
}

#[test]
fn too_little_is_no_forecast() {
    let mut forecast = Forecast::default();
    assert_eq!(forecast.full_in_s(0, 5, 100), None);
    forecast.sample(0, 0);
    assert_eq!(forecast.full_in_s(HOUR_S - 1, 50, 100), None, "less than an hour");
    assert_eq!(forecast.full_in_s(HOUR_S, 7, 100), None, "one bad place");
    assert_eq!(forecast.full_in_s(HOUR_S, 50, 100), Some(HOUR_S));
    assert_eq!(forecast.full_in_s(HOUR_S, 8, 1 << 40), None, "beyond ten years");
}

#[test]
fn a_week_without_a_bad_sector_ends_the_forecast() {
    let mut forecast = steady(4);
    for day in 2..=9 {
        forecast.sample(day * DAY_S, 96);
    }
    assert_eq!(forecast.full_in_s(9 * DAY_S, 96, 1000), None);
}

#[test]
fn freeing_slots_begins_it_anew() {
    let mut forecast = steady(4);
    forecast.sample(DAY_S + STEP_S, 10);
    assert_eq!(forecast.full_in_s(DAY_S + STEP_S, 10, 1000), None);
}

#[test]
fn full_is_now_and_no_slots_at_all_are_never_full() {
    let forecast = Forecast::default();
    assert_eq!(forecast.full_in_s(0, 100, 100), Some(0));
    assert_eq!(forecast.full_in_s(0, 0, 0), None);
    assert_eq!(words(0), "now");
}

#[test]
fn words_are_of_one_unit() {
    for (seconds, said) in [
        (1, "in about 1 minute"),
        (7_199, "in about 120 minutes"),
        (3 * HOUR_S, "in about 3 hours"),
        (60 * DAY_S, "in about 2 months"),
        (730 * DAY_S, "in about 2 years"),
        (MAX_AHEAD_S, "in about 10 years"),
    ] {
        assert_eq!(words(seconds), said);
    }
}

proptest! {
    #[test]
    fn whatever_was_seen_memory_and_forecast_are_bounded(
        seen in prop::collection::vec((0_u64..100_000, 0_u64..50), 1..3000),
        total: u64,
    ) {
        let (mut forecast, mut now, mut taken) = (Forecast::default(), 0, 0);
        for (seconds, slots) in seen {
            now += seconds;
            taken += slots;
            forecast.sample(now, taken);
        }
        prop_assert!(forecast.samples.len() as u64 <= WINDOW_S / STEP_S + 2);
        if let Some(ahead) = forecast.full_in_s(now, taken, total) {
            prop_assert!(ahead <= MAX_AHEAD_S);
        }
    }

    #[test]
    fn the_faster_it_goes_the_sooner_it_is_full(rate in 4_u64..1000, more in 0_u64..1000, free in 1_u64..1_000_000) {
        let ahead = |rate: u64| steady(rate).full_in_s(DAY_S, rate * 24, rate * 24 + free).unwrap_or(u64::MAX);
        prop_assert!(ahead(rate + more) <= ahead(rate));
    }

    #[test]
    fn the_more_room_the_later_it_is_full(room in 0_u64..100_000, more in 0_u64..100_000) {
        let forecast = steady(4);
        let ahead = |room: u64| forecast.full_in_s(DAY_S, 96, 96 + room).unwrap_or(u64::MAX);
        prop_assert!(ahead(room) <= ahead(room + more));
    }
}
