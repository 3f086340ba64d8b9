use super::SetName;

#[test]
fn usual_names_are_taken() {
    for name in ["a", "backup", "disk 2", "größer", &"x".repeat(63)] {
        assert_eq!(name.parse::<SetName>().unwrap().as_str(), name);
    }
}

#[test]
fn names_that_no_file_can_have_are_refused() {
    for name in ["", "a/b", "..", ".hidden", "-x", "a\nb", " a", "a ", "a\0b", "\u{7f}", &"x".repeat(64)] {
        assert!(name.parse::<SetName>().is_err(), "{name:?}");
    }
}
