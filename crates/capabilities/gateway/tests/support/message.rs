//! What a server or the gateway says.

use std::fmt;

/// One message.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) tag: u8,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// A field of an error or a notice.
    pub(crate) fn field(&self, kind: u8) -> Option<String> {
        let fields = self.body.split(|byte| *byte == 0).filter(|field| !field.is_empty());
        let found = fields.filter(|field| field[0] == kind).map(|field| String::from_utf8_lossy(&field[1..]).into());
        found.into_iter().next()
    }

    pub(crate) fn sqlstate(&self) -> String {
        self.field(b'C').unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        self.field(b'M').unwrap_or_default()
    }

    /// The values of a row.
    pub(crate) fn row(&self) -> Vec<Option<String>> {
        let mut rest = &self.body[2..];
        let mut values = Vec::new();
        while !rest.is_empty() {
            let length = i32::from_be_bytes(rest[..4].try_into().unwrap());
            rest = &rest[4..];
            match usize::try_from(length) {
                Ok(length) => {
                    values.push(Some(String::from_utf8_lossy(&rest[..length]).into()));
                    rest = &rest[length..];
                }
                Err(_) => values.push(None),
            }
        }
        values
    }

    /// The texts in a ParameterStatus or a CommandComplete.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = self.body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        texts.filter(|text| !text.is_empty()).collect()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = char::from(self.tag);
        let body = String::from_utf8_lossy(self.body.get(..200).unwrap_or(&self.body)).replace('\0', "|");
        write!(formatter, "{tag}({body})")
    }
}

/// The tags in their order, an error with its SQLSTATE and a ReadyForQuery with its status.
pub(crate) fn tags(messages: &[Message]) -> String {
    let word = |message: &Message| match message.tag {
        b'E' => format!("E{}", message.sqlstate()),
        b'Z' => format!("Z{}", String::from_utf8_lossy(&message.body)),
        tag => char::from(tag).to_string(),
    };
    messages.iter().map(word).collect::<Vec<_>>().join(" ")
}
