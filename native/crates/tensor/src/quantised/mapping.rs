//! A file in memory, read only: mapped where the system can, else read.

use std::fs::File;
use std::io;
use std::path::Path;

pub struct Mapping {
    #[cfg(unix)]
    pointer: *const u8,
    #[cfg(unix)]
    length: usize,
    #[cfg(not(unix))]
    bytes: Vec<u8>,
}

// Nobody writes to it. (A file that another process cuts short while it is mapped ends this one, as with every mapping.)
unsafe impl Send for Mapping {}
unsafe impl Sync for Mapping {}

impl Mapping {
    #[cfg(unix)]
    pub fn open(path: &Path) -> io::Result<Mapping> {
        use std::os::fd::AsRawFd;
        let file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len())
            .map_err(|_| io::Error::other("the file is larger than memory can be"))?;
        if length == 0 {
            let pointer = std::ptr::dangling();
            return Ok(Mapping { pointer, length });
        }
        // SAFETY: a new mapping of its own; the result is checked.
        let pointer = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        if pointer == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        unsafe { libc::madvise(pointer, length, libc::MADV_WILLNEED) };
        Ok(Mapping {
            pointer: pointer as *const u8,
            length,
        })
    }

    #[cfg(not(unix))]
    pub fn open(path: &Path) -> io::Result<Mapping> {
        use std::io::Read;
        let mut bytes = Vec::new();
        File::open(path)?.read_to_end(&mut bytes)?;
        Ok(Mapping { bytes })
    }

    pub fn bytes(&self) -> &[u8] {
        #[cfg(unix)]
        // SAFETY: the mapping lives as long as self.
        return unsafe { std::slice::from_raw_parts(self.pointer, self.length) };
        #[cfg(not(unix))]
        &self.bytes
    }
}

#[cfg(unix)]
impl Drop for Mapping {
    fn drop(&mut self) {
        if self.length > 0 {
            unsafe { libc::munmap(self.pointer as *mut libc::c_void, self.length) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Mapping;
    use std::path::Path;

    #[test]
    fn a_file_is_seen_as_it_is_and_a_missing_one_is_an_error() {
        let own = std::env::current_exe().unwrap();
        let mapping = Mapping::open(&own).unwrap();
        assert_eq!(mapping.bytes(), std::fs::read(&own).unwrap());
        assert!(Mapping::open(Path::new("/no/such/file")).is_err());
    }
}
