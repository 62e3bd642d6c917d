//! The bytes of a checkpoint, of which [the module](super) has the table.

/// How many words are checked by one CRC: 1 MiB of them.
pub const PIECE_WORDS: usize = 1 << 17;

/// A document may have so many bytes, 16 MiB: it is read as a whole.
pub const MAX_META_BYTES: usize = 1 << 24;

pub(super) const WORD_BYTES: usize = 8;
pub(super) const CRC_BYTES: usize = 4;
pub(super) const HEADER_BYTES: usize = 48;

const MAGIC: &[u8; 20] = b"onesided checkpoint\n";
const VERSION: u32 = 1;
/// Where the header's own CRC begins, which covers all before it.
const CRC_AT: usize = HEADER_BYTES - CRC_BYTES;

/// What the first bytes of a file say of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) n_words: u64,
    pub(super) meta_bytes: u64,
    pub(super) meta_crc: u32,
}

impl Header {
    pub(super) fn of(meta: &[u8], n_words: u64) -> Self {
        Header {
            n_words,
            meta_bytes: meta.len() as u64,
            meta_crc: crc32fast::hash(meta),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..20].copy_from_slice(MAGIC);
        bytes[20..24].copy_from_slice(&VERSION.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.n_words.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.meta_bytes.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.meta_crc.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Understands the beginning of a file, as much of it as there is of a header.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if magic != &MAGIC[..magic.len()] || magic.is_empty() {
            return Err("it is no checkpoint of onesided".into());
        }
        let Ok(bytes) = <&[u8; HEADER_BYTES]>::try_from(bytes) else {
            return Err("it was cut short within its header".into());
        };
        // Before all that another version may have elsewhere.
        let version = u32_at(bytes, 20);
        if version != VERSION {
            return Err(format!(
                "it has format version {version}, and this program reads version {VERSION}"
            ));
        }
        if u32_at(bytes, CRC_AT) != crc32fast::hash(&bytes[..CRC_AT]) {
            return Err("its header is corrupt".into());
        }
        let header = Header {
            n_words: u64_at(bytes, 24),
            meta_bytes: u64_at(bytes, 32),
            meta_crc: u32_at(bytes, 40),
        };
        if header.meta_bytes > MAX_META_BYTES as u64 {
            return Err(format!(
                "its document has {} bytes; at most {MAX_META_BYTES} are read",
                header.meta_bytes
            ));
        }
        Ok(header)
    }

    pub(super) fn n_pieces(&self) -> u64 {
        self.n_words.div_ceil(PIECE_WORDS as u64)
    }

    /// Where the document begins, behind the last piece; `None` where no file is so long.
    pub(super) fn meta_at(&self) -> Option<u64> {
        let words = self.n_words.checked_mul(WORD_BYTES as u64)?;
        let crcs = self.n_pieces().checked_mul(CRC_BYTES as u64)?;
        words.checked_add(crcs)?.checked_add(HEADER_BYTES as u64)
    }

    /// How long the file is; `None` where no file can be so long.
    pub(super) fn file_bytes(&self) -> Option<u64> {
        let n_bytes = self.meta_at()?.checked_add(self.meta_bytes)?;
        i64::try_from(n_bytes).is_ok().then_some(n_bytes)
    }
}

/// The CRC of piece `number`, whose words are `bytes`, of a file of `n_words`.
pub(super) fn crc_of_piece(n_words: u64, number: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&n_words.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}
