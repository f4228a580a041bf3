//! Sizes in the configuration: a number of bytes, or text with a unit (`1GiB`, `100MB`).

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer};

/// Reads a size.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be a size like \"1GiB\"")]
    enum Size {
        Bytes(u64),
        Text(String),
    }
    match Size::deserialize(deserializer)? {
        Size::Bytes(bytes) => Ok(bytes),
        Size::Text(text) => match text.parse::<ByteSize>() {
            Ok(size) => Ok(size.as_u64()),
            Err(_) => Err(serde::de::Error::custom(
                "must be a size like \"1GiB\" or \"100MB\"",
            )),
        },
    }
}
