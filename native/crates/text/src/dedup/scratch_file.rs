//! A file for what the memory does not hold. It has no name once it is open, so that nothing of it is left however the
//! process ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub struct ScratchFile {
    folder: PathBuf,
    file: Option<File>,
    length: u64,
    /// Kept where an open file cannot lose its name: removed at the end.
    #[cfg(not(unix))]
    name: Option<PathBuf>,
}

impl ScratchFile {
    /// The file is made when something is written.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            file: None,
            length: 0,
            #[cfg(not(unix))]
            name: None,
        }
    }

    pub fn length(&self) -> u64 {
        self.length
    }

    /// Writes at the end and says where that is.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let file = match &mut self.file {
            Some(file) => file,
            empty => {
                let name = self.folder.join(unused_name());
                let file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create_new(true)
                    .open(&name)?;
                #[cfg(unix)]
                std::fs::remove_file(&name)?;
                #[cfg(not(unix))]
                {
                    self.name = Some(name);
                }
                empty.insert(file)
            }
        };
        file.write_all(bytes)?;
        let offset = self.length;
        self.length += bytes.len() as u64;
        Ok(offset)
    }

    #[cfg(unix)]
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        use std::os::unix::fs::FileExt;
        match &self.file {
            Some(file) => file.read_exact_at(bytes, offset),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    #[cfg(windows)]
    pub fn read_at(&self, mut offset: u64, mut bytes: &mut [u8]) -> io::Result<()> {
        use std::os::windows::fs::FileExt;
        let Some(file) = &self.file else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        while !bytes.is_empty() {
            let count = file.seek_read(bytes, offset)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes = &mut bytes[count..];
            offset += count as u64;
        }
        Ok(())
    }
}

#[cfg(not(unix))]
impl Drop for ScratchFile {
    fn drop(&mut self) {
        self.file = None;
        if let Some(name) = self.name.take() {
            let _ = std::fs::remove_file(name);
        }
    }
}

fn unused_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!(".smolforge-scratch-{}-{number}.tmp", std::process::id())
}
