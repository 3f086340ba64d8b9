use super::*;
use crate::commands::monitor::events::Kind;
use crate::commands::monitor::look::UNREACHABLE;

/// A set as its server tells of it: what a test cares about, and zeros.
fn status(used: u64, lost: u64, retired: u64, health: u8) -> Status {
    let scrub = serde_json::json!({
        "state": "never", "sectors_done": 0, "sectors_total": 0, "failures": 0, "pages_done": 0, "repaired": 0,
        "bad": 0,
    });
    let server = serde_json::json!({
        "pid": 1, "version": "", "uptime_s": 0, "nbd": [], "requires_tls": false, "connections": 0,
    });
    serde_json::from_value(serde_json::json!({
        "name": "s", "uuid": "u", "state": "active", "read_only_on_request": false, "sectors": 32768,
        "logical_bytes": 512, "physical_bytes": 512, "block_bytes": 4096, "main": null, "health": health,
        "moved_sectors": 0, "lost_sectors": lost, "slots_total": 1000, "slots_used": used,
        "slots_retired": retired, "read_errors": 0, "write_errors": 0, "metadata_errors": 0,
        "errors_last_hour": 0, "errors_hour_before": 0, "generation": 1, "in_flight": 0, "spares": [],
        "io": {}, "recovery": {}, "scrub": scrub, "server": server,
    }))
    .unwrap()
}

fn seen(status: Status) -> Look {
    Look {
        name: "s".into(),
        uuid: "u".into(),
        state: status.state.clone(),
        status: Some(status),
        full_in_s: None,
    }
}

fn gone() -> Look {
    Look { name: "s".into(), uuid: String::new(), state: UNREACHABLE.into(), status: None, full_in_s: None }
}

fn kinds(watch: &mut Watch, look: Look, now_s: u64) -> Vec<Kind> {
    watch.see(&mut [look], now_s).into_iter().map(|event| event.kind).collect()
}

#[test]
fn the_first_look_tells_nothing_and_the_next_what_changed() {
    let mut watch = Watch::default();
    assert_eq!(kinds(&mut watch, seen(status(3, 2, 1, 60)), 0), []);
    assert_eq!(kinds(&mut watch, seen(status(3, 2, 1, 60)), 15), []);
    assert_eq!(kinds(&mut watch, seen(status(4, 3, 2, 60)), 30), [Kind::Lost, Kind::Retired]);
}

#[test]
fn health_is_told_once_for_each_limit_that_it_falls_below() {
    let mut watch = Watch::default();
    let mut health = |health| kinds(&mut watch, seen(status(0, 0, 0, health)), 0);
    assert_eq!(health(90), []);
    assert_eq!(health(89), [Kind::HealthWarning]);
    assert_eq!(health(80), []);
    assert_eq!(health(69), [Kind::HealthCritical]);
    assert_eq!(health(95), []);
    assert_eq!(health(10), [Kind::HealthCritical], "from good to critical is one event");
}

#[test]
fn a_set_that_does_not_answer_is_told_and_what_happened_meanwhile_too() {
    let mut watch = Watch::default();
    watch.see(&mut [seen(status(0, 0, 0, 100))], 0);
    let mut looks = [gone()];
    let events = watch.see(&mut looks, 15);
    assert_eq!(
        (events[0].kind, &*events[0].value, &*events[0].before),
        (Kind::State, "unreachable", "active")
    );
    assert_eq!(looks[0].uuid, "u", "its metrics keep their labels");
    assert_eq!(kinds(&mut watch, gone(), 30), []);
    assert_eq!(kinds(&mut watch, seen(status(0, 1, 0, 100)), 45), [Kind::State, Kind::Lost]);
}

#[test]
fn closing_a_set_is_no_event() {
    let mut watch = Watch::default();
    watch.see(&mut [seen(status(0, 0, 0, 100))], 0);
    assert_eq!(watch.see(&mut [], 15), []);
    assert_eq!(kinds(&mut watch, seen(status(0, 5, 0, 50)), 30), []);
}

#[test]
fn spares_that_fill_up_are_told_of_once_and_again_when_they_are_full() {
    let mut watch = Watch::default();
    assert_eq!(kinds(&mut watch, seen(status(0, 0, 0, 100)), 0), []);
    assert_eq!(kinds(&mut watch, seen(status(500, 0, 0, 100)), 1800), [], "half an hour is too little");
    let mut looks = [seen(status(500, 0, 0, 100))];
    let events = watch.see(&mut looks, 36_000);
    assert_eq!((events.len(), events[0].kind, looks[0].full_in_s), (1, Kind::FullSoon, Some(36_000)));
    assert!(events[0].message.contains("the spares are full in about 10 hours"), "{}", events[0].message);
    assert_eq!(kinds(&mut watch, seen(status(600, 0, 0, 100)), 36_015), []);
    assert_eq!(kinds(&mut watch, seen(status(990, 0, 10, 100)), 36_030), [Kind::Retired, Kind::FullSoon]);
    assert_eq!(kinds(&mut watch, seen(status(990, 0, 10, 100)), 36_045), []);
}
