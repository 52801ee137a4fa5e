//! The quick way to read numbers: the tight loop of requests of 700 MB.

/// So many bytes are searched for blanks in one step.
const CHUNK: usize = 64;

/// A word is read by looking at so many bytes before its end.
const WINDOW: usize = 8;

/// The same byte eight times.
const fn eight(byte: u8) -> u64 {
    u64::from_le_bytes([byte; WINDOW])
}

/// Reads numbers that begin at `from`, each with one blank behind it, into `into`. Gives back where the first word
/// begins that was not read, and how many were.
///
/// It stops when `into` is full, and at whatever is not plain: near both ends of `bytes`, and at a word that has more
/// than eight bytes or is no number. Where words end is found first, for many at once, so that no word has to wait for
/// the length of the one before it.
pub(super) fn read(bytes: &[u8], from: usize, into: &mut [i64]) -> (usize, usize) {
    let (mut start, mut base, mut read) = (from, from, 0);
    while let Some(window) = base.checked_sub(WINDOW).and_then(|before| bytes.get(before..))
        && let Some(chunk) = window.first_chunk::<{ WINDOW + CHUNK }>()
    {
        let mut ends = below_a_sign(&chunk[WINDOW..]);
        while ends != 0 {
            let place = ends.trailing_zeros() as usize;
            ends &= ends - 1;
            let length = base + place - start;
            let (Some(window), Some(behind)) = (chunk[place..].first_chunk(), chunk.get(place + WINDOW)) else {
                return (start, read);
            };
            let (Some(slot), Some(number)) = (into.get_mut(read), word(*window, length, *behind)) else {
                return (start, read);
            };
            *slot = number;
            read += 1;
            start = base + place + 1;
        }
        base += CHUNK;
    }
    (start, read)
}

/// A bit for each byte that is below `-`, as blanks are and what numbers are made of is not.
#[inline]
fn below_a_sign(bytes: &[u8]) -> u64 {
    let mut found = 0;
    for (nth, bytes) in bytes.as_chunks().0.iter().enumerate() {
        let bytes = u64::from_le_bytes(*bytes);
        // Bit 7 of a byte is set where the byte is not below; nothing is carried from one byte to the next.
        let others = ((bytes & eight(0x7f)) + eight(0x80 - b'-')) | bytes;
        let below = (!others & eight(0x80)) >> 7;
        // The product gathers the lowest bits of all bytes in its highest byte.
        found |= (below.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (WINDOW * nth);
    }
    found
}

/// The number that the last `length` bytes of `window` are, when it has at most eight bytes and a blank follows.
#[inline]
fn word(window: [u8; WINDOW], length: usize, behind: u8) -> Option<i64> {
    if length == 0 || length > WINDOW || !super::words::is_blank(behind) {
        return None;
    }
    let (window, before) = (u64::from_le_bytes(window), 8 * (WINDOW - length) as u32);
    let is_negative = (window >> before) as u8 == b'-';
    let digits = (window ^ eight(b'0')) & ((u64::MAX << before) << (8 * u32::from(is_negative)));
    // Bit 7 of a byte is set where the byte is above 9; a carry only reaches bytes behind one that is marked already.
    let others = (digits.wrapping_add(eight(0x80 - 10)) | digits) & eight(0x80);
    if others != 0 || length == usize::from(is_negative) {
        return None;
    }
    let number = eight_digits(digits) as i64;
    Some(if is_negative { -number } else { number })
}

/// The number that eight digits make, one a byte, the first in the lowest byte.
#[inline]
fn eight_digits(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10) + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads what stands behind eight bytes that do not matter.
    fn read_text(text: &str) -> (Vec<i64>, usize) {
        let (bytes, mut into) = (format!("xxxxxxx {text}{}", " ".repeat(CHUNK)), vec![0; 100]);
        let (end, read) = read(bytes.as_bytes(), WINDOW, &mut into);
        into.truncate(read);
        (into, end - WINDOW)
    }

    #[test]
    fn plain_words_are_read_wherever_they_stand() {
        let plain = [0, 1, -1, 99_999_999, -9_999_999, 12_345_678, -1_234_567, 10, 4_096];
        for shift in 0..plain.len() * 8 {
            let numbers: Vec<i64> = plain.into_iter().cycle().skip(shift).take(30 + shift % 8).collect();
            let width = shift % 9;
            let text: String = numbers.iter().map(|number| format!("{number:0width$}\t")).collect();
            assert_eq!(read_text(&text), (numbers, text.len()), "{text}");
        }
    }

    #[test]
    fn it_stops_at_what_is_not_plain() {
        for word in
            ["123456789", "-12345678", "-", "--1", "1-", "+1", "1.5", "x", "1x1", "é", "1\u{0}2", "1\r", "", "1,"]
        {
            let text = format!("5 -6 {word} 7 ");
            let stopped = read_text(&text);
            assert_eq!(stopped, (vec![5, -6], 5), "{word:?}");
        }
    }

    #[test]
    fn every_byte_is_judged() {
        for byte in 0..=u8::MAX {
            let mut bytes = b"xxxxxxx 12_4 8 ".to_vec();
            bytes[10] = byte;
            bytes.resize(2 * CHUNK, b' ');
            let expected = match byte {
                b'0'..=b'9' => vec![1204 + 10 * i64::from(byte - b'0'), 8],
                b' ' | b'\t' => vec![12, 4, 8],
                _ => vec![],
            };
            let mut into = [0; 4];
            let (_, read) = read(&bytes, WINDOW, &mut into);
            assert_eq!(into[..read], expected, "{byte}");
        }
    }

    #[test]
    fn it_stops_when_there_is_no_room() {
        let text = format!("xxxxxxx {}", "8 ".repeat(CHUNK));
        assert_eq!(read(text.as_bytes(), WINDOW, &mut [0; 5]), (WINDOW + 10, 5));
        assert_eq!(read(text.as_bytes(), WINDOW, &mut []), (WINDOW, 0));
        assert_eq!(read(text.as_bytes(), 2, &mut [0; 5]), (2, 0));
        assert_eq!(read(b"", 0, &mut [0; 5]), (0, 0));
    }
}
