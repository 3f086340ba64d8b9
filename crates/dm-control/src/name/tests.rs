use super::{DeviceName, DeviceUuid, NameError};

#[test]
fn what_is_unusual_in_a_name_is_escaped_as_dmsetup_does() {
    let name = DeviceName::of("my disk ü").unwrap();
    assert_eq!(name.as_str(), "my\\x20disk\\x20\\xc3\\xbc");
    assert_eq!(name.text(), "my disk ü");
    assert_eq!(DeviceName::of("a-b_c.1").unwrap().as_str(), "a-b_c.1");
}

#[test]
fn names_of_others_are_taken_as_they_are() {
    let name = DeviceName::of_kernel(b"vg-lv\\x2").unwrap();
    assert_eq!((name.as_str(), &*name.text()), ("vg-lv\\x2", "vg-lv\\x2"));
    assert_eq!(DeviceName::of_kernel(&[0xff]), None);
    assert_eq!(DeviceName::of_kernel(b"../x"), None);
}

#[test]
fn what_cannot_be_a_name_is_refused() {
    assert_eq!(DeviceName::of(""), Err(NameError::Empty));
    assert_eq!(DeviceName::of(".."), Err(NameError::Empty));
    assert_eq!(DeviceName::of("a/b"), Err(NameError::Character));
    assert_eq!(DeviceName::of(&"a".repeat(128)), Err(NameError::TooLong));
    assert_eq!(DeviceName::of(&" ".repeat(40)), Err(NameError::TooLong));
    assert!(DeviceName::of(&"a".repeat(127)).is_ok());
    assert!("x".repeat(129).parse::<DeviceUuid>().is_err());
}
