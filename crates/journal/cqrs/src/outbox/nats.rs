//! A stream of NATS JetStream as the broker of a relay: the message's identity is what the stream knows it again by.

use atalaya_nats::{JetStream, Outgoing};

use super::{Broker, Message, PublishError};

impl Broker for JetStream {
    async fn publish(&self, message: &Message) -> Result<(), PublishError> {
        let id = message.id().to_string();
        let headers = [
            ("id", id.as_str()),
            ("aggregatetype", message.aggregate_type()),
            ("aggregateid", message.aggregate_id()),
            ("type", message.message_type()),
        ];
        let payload = message.payload().to_owned().into();
        let outgoing = Outgoing { id: &id, kind: message.aggregate_type(), headers: &headers, payload };
        match Self::publish(self, outgoing).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_for_good() => Err(PublishError::Refused(atalaya_data::chain(&error))),
            Err(error) => Err(PublishError::Unavailable(atalaya_data::chain(&error))),
        }
    }
}
