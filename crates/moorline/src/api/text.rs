//! Times and states as text.

pub(crate) mod time {
    //! RFC 3339 in UTC, to the millisecond.

    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_rfc3339_millis(*time))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_rfc3339(&text).map_err(serde::de::Error::custom)
    }

    pub(crate) mod option {
        //! The same or `null`.

        use std::time::SystemTime;

        use serde::{Deserialize, Deserializer, Serializer};

        pub(crate) fn serialize<S: Serializer>(
            time: &Option<SystemTime>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, to),
                None => to.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<SystemTime>, D::Error> {
            let text = Option::<String>::deserialize(from)?;
            let time = text.map(|text| humantime::parse_rfc3339(&text)).transpose();
            time.map_err(serde::de::Error::custom)
        }
    }
}

pub(crate) mod task_state {
    //! The words of [`TaskState::name`].

    use moorline_work::TaskState;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(state: &TaskState, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(state.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TaskState, D::Error> {
        let text = String::deserialize(from)?;
        parse(&text).ok_or_else(|| serde::de::Error::custom(format!("no task state `{text}`")))
    }

    /// The state with this name.
    pub(crate) fn parse(text: &str) -> Option<TaskState> {
        TaskState::ALL.into_iter().find(|state| state.name() == text)
    }
}

#[cfg(any(feature = "coordinator", test))]
pub(crate) use task_state::parse as parse_task_state;
