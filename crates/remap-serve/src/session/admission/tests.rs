//! Facts about how much may be under way.

use super::*;

#[test]
fn bytes_are_bounded_but_a_long_request_is_served_alone() {
    let admission = Admission::new(1000);
    assert!(admission.try_enter(Weight::of(600)));
    assert!(admission.try_enter(Weight::of(400)));
    assert!(!admission.try_enter(Weight::of(1)));
    assert!(admission.try_enter(Weight::of(0)), "what has no data has room");
    admission.leave(Weight { requests: 3, bytes: 1000 });
    assert!(admission.try_enter(Weight::of(5000)));
    assert!(!admission.try_enter(Weight::of(1)));
}

#[test]
fn requests_are_bounded_whatever_their_size() {
    let admission = Admission::new(1000);
    for _ in 0..MAX_REQUESTS {
        assert!(admission.try_enter(Weight::of(0)));
    }
    assert!(!admission.try_enter(Weight::of(0)));
    admission.leave(Weight::of(0));
    assert!(admission.try_enter(Weight::of(0)));
}

#[test]
fn who_waits_goes_on_when_there_is_room_or_the_connection_ends() {
    let admission = Admission::new(10);
    admission.enter(Weight::of(10));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| admission.enter(Weight::of(10)));
        admission.leave(Weight::of(10));
        waiting.join().expect("there is room now");
        let waiting = scope.spawn(|| admission.enter(Weight::of(10)));
        admission.open();
        waiting.join().expect("nothing is kept out any more");
    });
}
