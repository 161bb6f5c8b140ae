//! The beginning of a message whose rest is still to come.

/// What is left of bytes of which some were dealt with. Where none were, nothing is copied: a message that comes in a
/// thousand pieces would be copied a thousand times.
pub(crate) fn rest_of(mut bytes: Vec<u8>, used: usize) -> Vec<u8> {
    if used >= bytes.len() {
        return Vec::new(); // the memory goes with it
    }
    if used > 0 {
        bytes.drain(..used);
        bytes.shrink_to_fit();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_dealt_with_stays_where_it_is() {
        let bytes = vec![7; 1000];
        let place = bytes.as_ptr();
        let rest = rest_of(bytes, 0);
        assert!(rest.as_ptr() == place && rest.len() == 1000);
    }

    #[test]
    fn what_was_dealt_with_takes_its_memory_along() {
        let rest = rest_of((0..200).collect(), 197);
        assert!(rest == [197, 198, 199] && rest.capacity() < 100);
        assert_eq!(rest_of(vec![7; 1000], 1000).capacity(), 0);
    }
}
