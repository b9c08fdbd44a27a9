//! Which owners, modes and folders are safe, also in the eyes of a user who is not the one of the tests.

use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;

/// A folder of mode 0700 with a key file of mode 0640.
struct Place {
    root: TempDir,
    folder: PathBuf,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("keys");
        fs::create_dir(&folder).unwrap();
        let file = folder.join("ring.json");
        fs::write(&file, "{}").unwrap();
        chmod(&folder, 0o700);
        chmod(&file, 0o640);
        Self { root, folder, file }
    }

    /// A link to the file in a folder of its own with this mode.
    fn linked(&self, mode: u32) -> PathBuf {
        let folder = self.root.path().join(format!("links-{mode:o}"));
        fs::create_dir(&folder).unwrap();
        let link = folder.join("ring.json");
        symlink("../keys/ring.json", &link).unwrap();
        chmod(&folder, mode);
        link
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn judge(own: &Own, path: &Path) -> Option<Exposure> {
    to_others_than(own, path, &fs::metadata(path).unwrap()).unwrap()
}

/// The user of the tests, who need not be root.
fn owner(place: &Place) -> Own {
    Own {
        user: fs::metadata(&place.file).unwrap().uid(),
        groups: Vec::new(),
    }
}

/// Some other user, of these groups.
fn other(place: &Place, groups: &[u32]) -> Own {
    Own {
        user: fs::metadata(&place.file).unwrap().uid() + 7,
        groups: groups.to_vec(),
    }
}

#[test]
fn a_folder_in_which_others_may_write_is_no_place_for_keys() {
    let place = Place::new();
    for mode in [0o700, 0o750, 0o755, 0o500, 0o2750] {
        chmod(&place.folder, mode);
        assert_eq!(judge(&owner(&place), &place.file), None, "{mode:o}");
    }
    for mode in [0o770, 0o720, 0o702, 0o777, 0o1777, 0o2775, 0o1770] {
        chmod(&place.folder, mode);
        let found = judge(&owner(&place), &place.file).unwrap();
        assert_eq!(
            found,
            Exposure::Folder {
                path: fs::canonicalize(&place.folder).unwrap(),
                mode
            }
        );
        let said = found.to_string();
        assert!(
            said.contains("chmod go-w") && said.contains("keys"),
            "{said}"
        );
        // A file that is not there yet would be no safer.
        let missing = place.folder.join("missing.json");
        assert_eq!(of_folder(&missing).unwrap(), Some(found));
    }
}

#[test]
fn both_the_folder_of_a_link_and_the_one_behind_it_count() {
    let place = Place::new();
    let me = owner(&place);
    // The root of a Kubernetes mount is sticky, and the links in it are root's.
    for mode in [0o755, 0o1777] {
        assert_eq!(judge(&me, &place.linked(mode)), None, "{mode:o}");
    }
    for mode in [0o777, 0o775] {
        let found = judge(&me, &place.linked(mode));
        assert!(matches!(found, Some(Exposure::Folder { .. })), "{found:?}");
    }
    let link = place.linked(0o711);
    chmod(&place.folder, 0o1777);
    let found = judge(&me, &link);
    assert!(matches!(found, Some(Exposure::Folder { .. })), "{found:?}");
}

#[test]
fn a_link_of_somebody_else_in_a_sticky_folder_may_lead_elsewhere_tomorrow() {
    let place = Place::new();
    let link = place.linked(0o1777);
    let gid = fs::metadata(&place.file).unwrap().gid();
    if owner(&place).user == 0 {
        // root's links are everybody's friends; give this one away.
        std::os::unix::fs::lchown(&link, Some(4_711), None).unwrap();
    }
    let found = judge(&other(&place, &[gid]), &link);
    assert!(matches!(found, Some(Exposure::Folder { .. })), "{found:?}");
}

#[test]
fn a_file_of_another_user_is_his_to_change() {
    let place = Place::new();
    if owner(&place).user == 0 {
        std::os::unix::fs::chown(&place.file, Some(4_711), None).unwrap();
    }
    let stranger = other(&place, &[]);
    let found = judge(&stranger, &place.file).unwrap();
    assert!(matches!(found, Exposure::Owner { .. }), "{found:?}");
    let said = found.to_string();
    assert!(said.contains(&format!("chown {}", stranger.user)), "{said}");
    // Nor does root take what somebody has put into a folder of root's.
    let root = Own {
        user: 0,
        groups: vec![0],
    };
    let folder_is_roots = fs::metadata(&place.folder).unwrap().uid() == 0;
    assert_eq!(judge(&root, &place.file).is_some(), folder_is_roots);
}

#[test]
fn a_ring_that_its_owner_gave_to_our_group_is_ours_to_read() {
    let place = Place::new();
    // auth-server's user owns folder and file; resource-api is another user of the group.
    let auth_server = Some(4_711);
    if owner(&place).user == 0 {
        for path in [&place.folder, &place.file] {
            std::os::unix::fs::chown(path, auth_server, None).unwrap();
        }
    }
    let gid = fs::metadata(&place.file).unwrap().gid();
    let resource_api = other(&place, &[gid]);
    assert_eq!(judge(&resource_api, &place.file), None);
    assert!(judge(&other(&place, &[]), &place.file).is_some());
    if owner(&place).user == 4_711 {
        // Of a third user it would be given back to auth-server's, who has to rotate it.
        std::os::unix::fs::chown(&place.file, Some(4_713), None).unwrap();
        let said = judge(&resource_api, &place.file).unwrap().to_string();
        assert!(
            said.contains("4713") && said.contains("chown 4711"),
            "{said}"
        );
        std::os::unix::fs::chown(&place.file, auth_server, None).unwrap();
    }
    // Not given: the group may not read it.
    chmod(&place.file, 0o600);
    let found = judge(&resource_api, &place.file);
    assert!(matches!(found, Some(Exposure::Owner { .. })), "{found:?}");
}

#[test]
fn a_folder_of_another_user_is_no_place_for_our_keys() {
    let place = Place::new();
    if owner(&place).user == 0 {
        std::os::unix::fs::chown(&place.folder, Some(4_711), None).unwrap();
    }
    let mut me = other(&place, &[]);
    if owner(&place).user != 0 {
        // The file is made to look ours by its group; the folder is not.
        me.groups.push(fs::metadata(&place.file).unwrap().gid() + 1);
    }
    let found = judge(&me, &place.file);
    assert!(found.is_some(), "{found:?}");
    let found = steps(&place.file).unwrap()[0].exposure(&me, None);
    assert!(
        matches!(found, Some(Exposure::FolderOwner { .. })),
        "{found:?}"
    );
    let root = Own {
        user: 0,
        groups: vec![0],
    };
    if owner(&place).user == 0 {
        // root's own file in it is not root's for long, however the two are grouped.
        let gid = fs::metadata(&place.folder).unwrap().gid();
        for own in [&root, &other(&place, &[gid])] {
            let found = judge(own, &place.file);
            let refused = matches!(found, Some(Exposure::FolderOwner { owner: 4_711, .. }));
            assert!(refused, "{found:?}");
        }
        // A file that is made there by root, for whom the folder belongs to, is no fault yet.
        let empty = &steps(&place.folder.join("new")).unwrap()[0];
        assert_eq!(empty.exposure(&root, None), None);
        std::os::unix::fs::chown(&place.file, Some(4_711), None).unwrap();
    }
    assert_eq!(
        judge(&root, &place.file),
        None,
        "root works for whoever folder and file belong to"
    );
}

#[test]
fn a_file_that_its_group_may_write_is_refused_and_one_that_it_may_read_is_not() {
    let place = Place::new();
    for mode in [0o400, 0o440, 0o600, 0o640, 0o650] {
        chmod(&place.file, mode);
        assert_eq!(judge(&owner(&place), &place.file), None, "{mode:o}");
    }
    for mode in [0o660, 0o620, 0o460, 0o670] {
        chmod(&place.file, mode);
        let found = judge(&owner(&place), &place.file).unwrap();
        assert!(
            matches!(found, Exposure::Group { .. }),
            "{mode:o}: {found:?}"
        );
        assert!(found.to_string().contains("chmod g-w"), "{found}");
    }
}

#[test]
fn links_without_an_end_are_an_error() {
    let place = Place::new();
    let link = place.folder.join("round");
    symlink("round", &link).unwrap();
    assert!(of_folder(&link).is_err());
}
