//! Sources as installers write them.

use super::{Source, dependencies_in, from_deb822, from_one_line_style};

fn source(signed_by: Option<&str>) -> Source {
    Source {
        uri: "http://mirror.example/debian".into(),
        suite: "bookworm".into(),
        components: "main".into(),
        signed_by: signed_by.map(str::to_owned),
    }
}

#[test]
fn the_stanza_with_the_suite_is_found_among_others() {
    let text = "Types: deb\n# a comment\nURIs: http://other.example/debian\nSuites: bookworm-security\n\n\
                Types: deb deb-src\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n\
                Signed-By: /usr/share/keyrings/key.gpg\n";
    assert_eq!(from_deb822(text, "bookworm"), Some(source(Some("/usr/share/keyrings/key.gpg"))));
    assert_eq!(from_deb822(text, "trixie"), None);
}

#[test]
fn a_key_within_the_stanza_is_carried_whole() {
    let text =
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nSigned-By:\n BEGIN\n .\n END\n";
    let found = from_deb822(text, "bookworm");
    assert_eq!(found, Some(source(Some("\n BEGIN\n .\n END"))));
    let written = found.unwrap().to_deb822();
    assert_eq!(from_deb822(&written, "bookworm"), Some(source(Some("\n BEGIN\n .\n END"))));
}

#[test]
fn a_line_with_the_suite_is_found_with_and_without_options() {
    let text =
        "# deb http://mirror.example/debian bookworm main\ndeb http://mirror.example/debian bookworm main";
    assert_eq!(from_one_line_style(text, "bookworm"), Some(source(None)));
    let text = "deb [arch=amd64 signed-by=/key.gpg] http://mirror.example/debian bookworm main";
    assert_eq!(from_one_line_style(text, "bookworm"), Some(source(Some("/key.gpg"))));
}

#[test]
fn dependencies_are_real_packages_and_neither_recommended_nor_virtual_ones() {
    let table = "linux-image-6.1.0-1-amd64\n  PreDepends: linux-base\n  Depends: <kmod>\n |Depends: dracut\n    \
                 other\n  Depends: linux-kbuild-6.1\n  Recommends: apparmor\n";
    assert_eq!(dependencies_in(table), ["linux-base", "dracut", "linux-kbuild-6.1"]);
}
