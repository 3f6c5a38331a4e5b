//! The JSON reader, compared with `serde_json`.

use barewire::client::json::{JsonError, Reader};
use proptest::prelude::*;
use serde_json::Value;

fn is_json(text: &[u8]) -> bool {
    let read = || {
        let mut reader = Reader::new(text)?;
        reader.skip()?;
        reader.end()
    };
    read().is_ok()
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Reads a value of the same shape as `like`.
fn read(reader: &mut Reader<'_>, like: &Value) -> Result<Value, JsonError> {
    Ok(match like {
        Value::Null => {
            assert!(reader.null()?);
            Value::Null
        }
        Value::Bool(_) => reader.boolean()?.into(),
        Value::Number(_) => {
            reader.skip()?;
            like.clone()
        }
        Value::String(_) => {
            let mut text = "previous content".to_owned();
            reader.string(&mut text)?;
            text.into()
        }
        Value::Array(likes) => {
            let mut items = Vec::new();
            reader.array(|reader| -> Result<(), JsonError> {
                items.push(read(reader, &likes[items.len()])?);
                Ok(())
            })?;
            items.into()
        }
        Value::Object(likes) => {
            let mut members = serde_json::Map::new();
            reader.object(|name, reader| -> Result<(), JsonError> {
                members.insert(name.to_owned(), read(reader, &likes[name])?);
                Ok(())
            })?;
            members.into()
        }
    })
}

proptest! {
    #[test]
    fn reads_what_serde_json_writes(value in value(), is_pretty: bool) {
        let text = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.expect("JSON");
        let mut reader = Reader::new(text.as_bytes()).expect("UTF-8");
        prop_assert_eq!(read(&mut reader, &value), Ok(value));
        prop_assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn accepts_the_same_texts_as_serde_json(
        text in prop_oneof![
            // Exponents have at most two digits: serde_json rejects a number that no `f64` can
            // hold, although the grammar allows it.
            "[ \\[\\]{},:\"\\\\/0-9.+\\-truefalsn]{0,12}",
            "\"(\\\\(u[dD][8-9a-fA-F][0-9a-f]{2}|u[0-9a-f]{4}|[bfnrt\"\\\\/x])|[a\u{1}é]){0,5}\"",
            "-?[0-9]{0,2}(\\.[0-9]{0,2})?([eE][+\\-]?[0-9]{0,2})?",
        ],
    ) {
        prop_assert_eq!(is_json(text.as_bytes()), serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
    }
}
