use super::show;

#[test]
fn dates_agree_with_the_calendar() {
    assert_eq!(show(0), "1970-01-01 00:00:00 UTC");
    assert_eq!(show(951_782_400), "2000-02-29 00:00:00 UTC");
    assert_eq!(show(1_767_225_599), "2025-12-31 23:59:59 UTC");
    assert_eq!(show(4_102_444_800), "2100-01-01 00:00:00 UTC");
}
