//! Facts about addresses as text.

use super::*;

#[test]
fn addresses_are_read_and_written() {
    for text in ["unix:/run/x.sock", "tcp:127.0.0.1:10809", "tcp:[::1]:7"] {
        assert_eq!(text.parse::<Address>().expect("an address").to_string(), text);
    }
    assert!(matches!("tcp:localhost:10809".parse(), Ok(Address::Tcp(address)) if address.port() == 10809));
}

#[test]
fn what_is_no_address_is_told_so() {
    for text in ["", "unix:", "tcp:", "tcp:host", "tcp::1", "tcp:127.0.0.1:", "tcp:127.0.0.1:65536", "/run/x"]
    {
        assert_eq!(text.parse::<Address>(), Err(AddressError::Syntax(text.into())), "{text}");
    }
    assert!(matches!("tcp:no host:1".parse::<Address>(), Err(AddressError::NoSuchHost(_))));
}

#[test]
fn only_this_machine_reaches_unix_sockets_and_loopback_addresses() {
    let is_local = |text: &str| text.parse::<Address>().expect("an address").is_local();
    assert!(is_local("unix:/x") && is_local("tcp:127.3.2.1:1") && is_local("tcp:[::1]:1"));
    assert!(is_local("tcp:[::ffff:127.0.0.1]:1"));
    assert!(!is_local("tcp:0.0.0.0:1") && !is_local("tcp:[::]:1") && !is_local("tcp:192.0.2.1:1"));
}

#[test]
fn uris_escape_what_has_a_meaning_there() {
    let unix = Address::Unix("/run/a b?c".into());
    assert_eq!(unix.uri("x&y", false).as_deref(), Some("nbd+unix:///x%26y?socket=/run/a%20b%3Fc"));
    let tcp: Address = "tcp:[::1]:7".parse().expect("an address");
    assert_eq!(tcp.uri("", true).as_deref(), Some("nbds://[::1]:7/"));
    assert_eq!(Address::Unnamed.uri("x", false), None);
}
