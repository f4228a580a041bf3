//! Walks of a shared root: other programs are believed, and what the file list itself does is not taken for theirs.

use drftpd_protocol::wire::{DirStep, Place, WalkEntry, WalkNode, WalkPage};
use drftpd_protocol::{DirId, Name};

use super::merge::file;
use super::*;

/// A walk of the shared root A, of single entries or of all of it.
pub struct Walk<'f> {
    fx: &'f Fixture,
    pub saw: SawAll,
    gone: Vec<NodeId>,
    pub again: usize,
    pub whole: bool,
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes().to_vec()).unwrap()
}

fn way(at: &[(DirId, &str)]) -> Vec<DirStep> {
    let step = |(id, text): &(DirId, &str)| DirStep {
        id: *id,
        name: name(text),
    };
    at.iter().map(step).collect()
}

pub fn edited(mut found: WalkEntry) -> WalkEntry {
    if let WalkNode::File { edited, .. } = &mut found.node {
        *edited = true;
    }
    found
}

pub fn dir(text: &str, id: DirId) -> WalkEntry {
    WalkEntry {
        name: name(text),
        node: WalkNode::Dir { id: Some(id) },
        modified: 43,
    }
}

impl<'f> Walk<'f> {
    /// One that begins when the disk has followed everything.
    pub async fn begin(fx: &'f Fixture) -> Self {
        fx.follow(A).await;
        Self::at_once(fx)
    }

    fn at_once(fx: &'f Fixture) -> Self {
        let saw = SawAll {
            since: fx.vfs.part_walk_begins(A).unwrap().since,
            conclude: true,
            shared: Some(SawShared::default()),
            ..SawAll::default()
        };
        Self {
            fx,
            saw,
            gone: Vec::new(),
            again: 0,
            whole: false,
        }
    }

    /// Looks at entries of a directory and finds these.
    pub async fn look(
        &mut self,
        at: &[(DirId, &str)],
        looked: &[&str],
        entries: Vec<WalkEntry>,
    ) -> Merged {
        let page = WalkPage {
            root: A,
            walk: 0,
            dir: way(at),
            entries,
            looked: looked.iter().copied().map(name).collect(),
        };
        let since = Some(self.saw.since);
        let alpha = slave("alpha");
        let merged = self.fx.vfs.merge_page(&alpha, page, since);
        let merged = merged.await.unwrap();
        self.saw.seen.extend(merged.seen.clone());
        self.gone.extend(merged.gone.clone());
        self.again += merged.again.len();
        if let Some(shared) = &mut self.saw.shared {
            shared.placed.extend(merged.placed.clone());
            shared.strays.extend(merged.strays.clone());
        }
        merged
    }

    pub async fn end(mut self) -> Concluded {
        if !self.whole {
            let (below, gone) = (Vec::new(), self.gone);
            self.saw.within = Within::Parts { below, gone };
        }
        let alpha = slave("alpha");
        self.fx.vfs.walked(A, &alpha, self.saw).await.unwrap()
    }
}

pub async fn holders(fx: &Fixture, at: &str) -> Vec<RootId> {
    let readable = fx.vfs.readable(&path(at)).await.unwrap();
    readable.holders.into_iter().map(|(root, _)| root).collect()
}

#[test]
fn an_edit_is_a_new_generation_and_other_copies_go_into_the_trash() {
    on_strange_disks(|fx| async {
        let old = fx.put("/f", A, 5).await;
        fx.page(B, &[], vec![file("f", 5, Some(old.file()))]).await;
        let kept = fx.put("/same", A, 5).await;
        let mut walk = Walk::begin(&fx).await;
        let found = vec![
            edited(file("f", 5, Some(old.file()))),
            file("same", 5, Some(kept.file())),
        ];
        let merged = walk.look(&[], &["f", "same"], found).await;
        assert_eq!((merged.edited, merged.good), (1, 1));
        let new = fx.stat("/f").await.unwrap();
        assert!(new.id == old.id && new.generation > old.generation);
        assert_eq!((new.crc32, new.modified), (None, 42));
        assert_eq!(holders(&fx, "/f").await, [A]);
        assert_eq!(short(&fx.ops(A).await), ["identify /f 5"]);
        assert_eq!(short(&fx.ops(B).await), ["aside /f"]);
        assert_eq!(fx.totals("/").await, (10, 2));
        assert_eq!(walk.end().await.removed, 0);
        fx
    });
}

#[test]
fn a_file_without_identity_over_one_that_the_root_has_is_an_edit_and_over_another_is_none() {
    on_strange_disks(|fx| async {
        fx.put("/mine", A, 5).await;
        fx.put("/others", B, 5).await;
        let mut walk = Walk::begin(&fx).await;
        let found = vec![file("mine", 7, None), file("others", 7, None)];
        let merged = walk.look(&[], &["mine", "others"], found).await;
        assert_eq!((merged.edited, merged.kept_beside.len()), (1, 1));
        assert_eq!(
            fx.names("/").await,
            ["mine", "others", "others.conflict-alpha"]
        );
        assert_eq!(fx.totals("/").await, (7 + 5 + 7, 3));
        fx
    });
}

#[test]
fn nothing_is_concluded_where_the_file_list_itself_is_at_work() {
    on_strange_disks(|fx| async {
        let old = fx.put("/d", A, 5).await;
        let mut walk = Walk::begin(&fx).await;
        // It is overwritten behind the walk's beginning: the disk still has the old one, or nothing.
        fx.put("/d", A, 6).await;
        let found = vec![edited(file("d", 5, Some(old.file())))];
        let merged = walk.look(&[], &["d"], found).await;
        assert_eq!((merged.edited, walk.again), (0, 1));
        let merged = walk.look(&[], &["d"], vec![]).await;
        assert_eq!(merged.gone.len(), 1);
        let said = walk.end().await;
        assert_eq!((said.removed, said.unsettled), (0, 0), "it was seen");
        assert_eq!(fx.stat("/d").await.unwrap().size, 6);
        fx
    });
}

#[test]
fn what_others_removed_is_gone_with_its_directories_and_not_what_another_root_has() {
    on_strange_disks(|fx| async {
        let (d, e) = (fx.dir("/d").await, fx.dir("/d/e").await);
        fx.put("/d/gone", A, 5).await;
        fx.put("/d/e/gone", A, 5).await;
        fx.put("/top", A, 5).await;
        let mut walk = Walk::begin(&fx).await;
        walk.look(&[], &["d", "top"], vec![dir("d", d.id)]).await;
        walk.look(&[(d.id, "d")], &["e", "gone"], vec![]).await;
        let said = walk.end().await;
        assert_eq!((said.removed, said.removed_dirs), (3, 1));
        assert_eq!(fx.names("/").await, ["d"]);
        assert_eq!(fx.totals("/").await, (0, 0));
        assert!(fx.stat("/d/e").await.is_err() && is_new(e.id));

        fx.dir("/x").await;
        let both = fx.put("/x/both", A, 5).await;
        fx.put("/x/others", B, 5).await;
        assert!(fx.vfs.add_copy(both.file(), B, bytes(5)).await.unwrap());
        let mut walk = Walk::begin(&fx).await;
        walk.look(&[], &["x"], vec![]).await;
        assert_eq!(walk.end().await.removed, 1);
        assert_eq!(fx.names("/x").await, ["others"], "its directory stays too");
        assert!(short(&fx.ops(B).await).contains(&"aside /x/both".to_owned()));
        fx
    });
}

#[test]
fn what_others_moved_to_another_root_stays_there_and_a_copy_that_they_take_back_is_that_one_alone()
{
    on_strange_disks(|fx| async {
        for (at, size) in [("moved", 5), ("taken", 6), ("equal", 7)] {
            fx.put(&format!("/{at}"), A, size).await;
        }
        let (moved, taken) = (
            fx.stat("/moved").await.unwrap(),
            fx.stat("/taken").await.unwrap(),
        );
        let equal = fx.stat("/equal").await.unwrap();
        // With their attributes, and without: those are compared.
        let of_b = vec![file("moved", 5, Some(moved.file())), file("equal", 7, None)];
        let merged = fx.page(B, &[], of_b).await;
        let equal_ones = merged.compare.into_iter().map(|one| (one, true)).collect();
        let compared = fx.vfs.merge_compared(B, &slave("beta"), equal_ones).await;
        assert_eq!(compared.unwrap().adopted, 1);
        let mut walk = Walk::begin(&fx).await;
        walk.look(&[], &["moved", "equal"], vec![]).await;
        walk.end().await;
        for (at, entry) in [("/moved", &moved), ("/equal", &equal)] {
            assert_eq!(fx.stat(at).await.unwrap().file(), entry.file());
            assert_eq!(holders(&fx, at).await, [B]);
        }
        assert!(
            !short(&fx.ops(B).await)
                .iter()
                .any(|op| op.starts_with("aside"))
        );

        // The file was B's; somebody copied it to the shared root and removes that again.
        let other = fx.put("/other", B, 8).await;
        let found = |id| vec![file("other", 8, Some(id))];
        let mut walk = Walk::begin(&fx).await;
        walk.look(&[], &["other"], found(other.file())).await;
        walk.end().await;
        assert_eq!(holders(&fx, "/other").await, [A, B]);
        let mut walk = Walk::begin(&fx).await;
        walk.look(&[], &["other", "taken"], vec![]).await;
        walk.end().await;
        assert_eq!(holders(&fx, "/other").await, [B]);
        assert!(
            fx.stat("/taken").await.is_err() && is_new(taken.id),
            "nobody else has it"
        );
        fx
    });
}

#[test]
fn a_file_that_others_moved_is_renamed_and_one_that_they_copied_becomes_another() {
    on_strange_disks(|fx| async {
        let d = fx.dir("/d").await;
        let moved = fx.put("/moved", A, 5).await;
        let copied = fx.put("/copied", A, 6).await;
        fx.put("/d/there", A, 1).await;
        let mut walk = Walk::begin(&fx).await;
        let found = vec![
            file("new", 5, Some(moved.file())),
            file("copy", 6, Some(copied.file())),
        ];
        walk.look(&[(d.id, "d")], &["new", "copy"], found).await;
        let found = vec![file("copied", 6, Some(copied.file()))];
        walk.look(&[], &["moved", "copied"], found).await;
        let said = walk.end().await;
        assert_eq!((said.renamed, said.removed), (1, 0));
        assert_eq!(fx.stat("/d/new").await.unwrap().file(), moved.file());
        let told = short(&fx.ops(A).await);
        assert!(told.contains(&"disown /d/copy".to_owned()), "{told:?}");
        assert!(told.contains(&"move /moved /d/new".to_owned()), "{told:?}");
        // Nobody's any more, it is found as a new file.
        let mut walk = Walk::begin(&fx).await;
        let merged = walk
            .look(&[(d.id, "d")], &["copy"], vec![file("copy", 6, None)])
            .await;
        assert_eq!(merged.adopted, 1);
        assert_eq!(fx.names("/d").await, ["copy", "new", "there"]);
        fx
    });
}

#[test]
fn of_something_at_another_place_its_own_is_looked_at_before_anything_is_concluded() {
    on_strange_disks(|fx| async {
        let d = fx.dir("/d").await;
        let moved = fx.put("/moved", A, 5).await;
        fx.put("/d/there", A, 1).await;
        let mut walk = Walk::begin(&fx).await;
        let found = vec![file("new", 5, Some(moved.file()))];
        walk.look(&[(d.id, "d")], &["new"], found).await;
        let said = walk.end().await;
        let shown = |at: &drftpd_protocol::wire::WalkPart| {
            let way: String = at.way.iter().map(|name| format!("{name}/")).collect();
            format!("{way}{}", at.names[0])
        };
        let again: Vec<_> = said.again.iter().map(shown).collect();
        assert_eq!(
            (said.renamed, again),
            (0, vec!["moved".into(), "d/new".into()])
        );
        assert_eq!(fx.names("/").await, ["d", "moved"]);
        fx
    });
}

#[test]
fn a_directory_that_others_moved_is_renamed_whatever_lies_below() {
    on_strange_disks(|fx| async {
        let (d, e) = (fx.dir("/d").await, fx.dir("/e").await);
        let f = fx.put("/d/f", A, 5).await;
        fx.put("/e/there", A, 1).await;
        let mut walk = Walk::begin(&fx).await;
        walk.look(&[], &["d"], vec![]).await;
        walk.look(&[(e.id, "e")], &["new"], vec![dir("new", d.id)])
            .await;
        let below = [(e.id, "e"), (d.id, "new")];
        let merged = walk
            .look(&below, &[], vec![file("f", 5, Some(f.file()))])
            .await;
        assert_eq!(merged.moved, 0, "it is not brought back");
        let said = walk.end().await;
        assert_eq!((said.renamed, said.removed), (1, 0));
        assert_eq!(fx.stat("/e/new/f").await.unwrap().file(), f.file());
        fx
    });
}

#[test]
fn what_is_being_written_is_left_alone_and_looked_at_again() {
    on_strange_disks(|fx| async {
        let old = fx.put("/f", A, 5).await;
        let mut walk = Walk::begin(&fx).await;
        let mut found = edited(file("f", 3, Some(old.file())));
        if let WalkNode::File { busy, .. } = &mut found.node {
            *busy = true;
        }
        let mut new = file("new", 3, None);
        if let WalkNode::File { busy, .. } = &mut new.node {
            *busy = true;
        }
        let merged = walk.look(&[], &["f", "new"], vec![found, new]).await;
        assert_eq!((merged.edited, merged.adopted, walk.again), (0, 0, 2));
        assert_eq!(walk.end().await.removed, 0);
        assert_eq!(fx.stat("/f").await.unwrap().file(), old.file());
        fx
    });
}

#[test]
fn an_identity_that_is_not_live_is_nobodys_and_the_file_stays() {
    on_strange_disks(|fx| async {
        let gone = fx.put("/gone", A, 5).await;
        fx.vfs.delete(&path("/gone"), None).await.unwrap();
        let mut walk = Walk::begin(&fx).await;
        let found = vec![file("elsewhere", 5, Some(gone.file()))];
        let merged = walk.look(&[], &["elsewhere"], found).await;
        assert_eq!((merged.set_aside, walk.again), (0, 1));
        assert_eq!(short(&fx.ops(A).await), ["disown /elsewhere"]);
        fx
    });
}

#[test]
fn what_others_moved_and_copied_has_one_place_and_a_copy_at_the_other() {
    on_strange_disks(|fx| async {
        let (d, f) = (fx.dir("/d").await, fx.put("/f", A, 5).await);
        fx.put("/d/there", A, 1).await;
        let mut walk = Walk::begin(&fx).await;
        let names = ["d", "f", "one", "three", "two"];
        let at = |name| file(name, 5, Some(f.file()));
        let found = vec![dir("one", d.id), at("three"), dir("two", d.id), at("two.f")];
        walk.look(&[], &names, found).await;
        assert_eq!(walk.end().await.renamed, 2);
        assert_eq!(fx.names("/").await, ["one", "three"]);
        let told = short(&fx.ops(A).await);
        for place in ["disown /two", "disown /two.f"] {
            assert!(told.contains(&place.to_owned()), "{told:?}");
        }
        assert_eq!(told.len(), 4, "{told:?}");
        fx
    });
}

/// A place is what the file list says of the way to it.
#[test]
fn a_copy_of_a_directory_becomes_one_of_its_own() {
    on_strange_disks(|fx| async {
        let d = fx.dir("/d").await;
        let f = fx.put("/d/f", A, 5).await;
        let mut walk = Walk::begin(&fx).await;
        let found = vec![dir("copy", d.id), dir("d", d.id)];
        walk.look(&[], &["copy", "d"], found).await;
        let below = vec![file("f", 5, Some(f.file()))];
        walk.look(&[(d.id, "copy")], &[], below).await;
        let said = walk.end().await;
        assert_eq!(
            (said.renamed, said.removed, said.again.is_empty()),
            (0, 0, false)
        );
        let ops = fx.ops(A).await;
        let RootOp::Disown { what, at } = &ops[0] else {
            panic!("{ops:?}");
        };
        let place = Place {
            dirs: Vec::new(),
            name: name("copy"),
        };
        let dir = drftpd_protocol::wire::Moved::Dir(d.id);
        assert_eq!((*what, at), (dir, &place));
        fx
    });
}

#[test]
fn many_files_that_others_moved_at_once_are_renamed_at_once_and_what_was_removed_beside_them_is_gone()
 {
    on_strange_disks(|fx| async {
        let (d, e) = (fx.dir("/d").await, fx.dir("/e").await);
        fx.put("/d/gone", A, 1).await;
        let mut found = Vec::new();
        for n in 0..20 {
            let moved = fx.put(&format!("/d/{n}"), A, 1).await;
            found.push(file(&format!("{n}.new"), 1, Some(moved.file())));
        }
        let mut walk = Walk::begin(&fx).await;
        walk.look(&[(e.id, "e")], &[], found).await;
        let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.push("gone");
        walk.look(&[(d.id, "d")], &names, vec![]).await;
        let said = walk.end().await;
        assert_eq!((said.renamed, said.removed, said.unsettled), (20, 1, 0));
        assert_eq!(fx.names("/d").await, [""; 0]);
        fx
    });
}
