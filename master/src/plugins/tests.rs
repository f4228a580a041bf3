//! What holds for every plugin of the table.

use super::*;
use crate::config::MasterConfig;
use crate::config::document::DOCUMENT;

/// The document's section of a plugin, which is off there, without the marks of comments.
fn section(name: &str) -> String {
    let header = format!("#[plugins.{name}]");
    let begin = DOCUMENT.find(&header);
    let begin = begin.unwrap_or_else(|| panic!("{header} is not in the document"));
    let section = DOCUMENT[begin..].split("\n\n").next().unwrap();
    let lines = section.lines().map(|line| match line.starts_with("# ") {
        true => "",
        false => line.trim_start_matches('#'),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_has_a_name_of_its_own_and_a_section_in_the_document() {
    assert!(PLUGINS.is_sorted_by(|a, b| a.name < b.name));
    for plugin in PLUGINS {
        assert!(plugin.about.len() > 10, "{}", plugin.name);
        let text = section(plugin.name);
        let config: Result<MasterConfig, _> = drftpd_actors::parse(&text, None);
        let config = config.unwrap_or_else(|why| panic!("{}: {why:?}", plugin.name));
        assert!(config.plugins.contains_key(plugin.name));
        let wrong = format!("{text}\nnobody_knows = 1\n");
        let wrong = drftpd_actors::parse::<MasterConfig>(&wrong, None).unwrap_err();
        assert_eq!(
            wrong[0].key,
            format!("plugins.{}.nobody_knows", plugin.name)
        );
    }
}

#[test]
fn a_section_that_no_plugin_has_is_refused() {
    let wrong = drftpd_actors::parse::<MasterConfig>("[plugins.nobody]", None).unwrap_err();
    assert_eq!(wrong[0].key, "plugins.nobody");
    assert!(wrong[0].why.contains("nuke"), "{}", wrong[0].why);
}
