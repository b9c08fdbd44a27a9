//! Whether a file is mounted by itself (`-v ./ring.json:/keys/ring.json`, or `subPath` in Kubernetes).
//!
//! Such a mount is of the file and not of its name. A file that is renamed over it outside never arrives,
//! and inside nothing can be renamed over it (EBUSY). Both look like something else.

use std::path::Path;

/// What to do about it, for messages that begin with the file.
pub(crate) const ADVICE: &str = "it is mounted as a single file: a new one that replaces it outside never arrives \
     here, and none can replace it from in here. Mount its folder instead";

/// Whether the file that the path leads to is a mount of its own. `false` where that cannot be known.
pub(crate) fn is_mounted_alone(path: &Path) -> bool {
    let Ok(path) = std::fs::canonicalize(path) else {
        return false;
    };
    let mounts = std::fs::read("/proc/self/mountinfo");
    mounts.is_ok_and(|mounts| lists(&mounts, &path))
}

/// Whether a mount's place is this path: the fifth column of `proc_pid_mountinfo(5)`.
#[cfg(unix)]
fn lists(mounts: &[u8], path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let wanted = path.as_os_str().as_bytes();
    mounts
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .any(|place| unescaped(place) == wanted)
}

#[cfg(not(unix))]
fn lists(_: &[u8], _: &Path) -> bool {
    false
}

/// Blanks, line ends and backslashes are written as three octal digits.
#[cfg(unix)]
fn unescaped(place: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(place.len());
    let mut rest = place;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let octal = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let (b'\\', Some(byte)) = (first, octal) {
            bytes.push(byte);
            rest = behind.get(3..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    bytes
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"\
22 1 254:1 / / rw,relatime - ext4 /dev/vda rw
63 22 254:1 /srv/ring.json /keys/jwt-keys.json rw,relatime shared:7 - ext4 /dev/vda rw
64 22 0:31 / /keys/my\\040ring\\134x.json ro - tmpfs tmpfs rw
65 22 0:32 / /data rw - ext4 /dev/vdb rw
";

    #[test]
    fn a_file_that_is_mounted_by_itself_is_found_among_the_mounts() {
        for (path, wanted) in [
            ("/keys/jwt-keys.json", true),
            ("/keys/my ring\\x.json", true),
            ("/keys/jwt-keys.json.lock", false),
            ("/srv/ring.json", false),
            ("/data/refresh-keys.json", false),
            ("/keys", false),
        ] {
            assert_eq!(lists(MOUNTS, Path::new(path)), wanted, "{path}");
        }
        assert!(!lists(b"", Path::new("/")) && !lists(b"1 2 3\n\n", Path::new("/")));
    }

    #[test]
    fn an_ordinary_file_is_not_mounted_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring.json");
        assert!(!is_mounted_alone(&path), "it is not there");
        std::fs::write(&path, "{}").unwrap();
        assert!(!is_mounted_alone(&path));
    }
}
