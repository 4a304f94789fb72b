import RepositoryFormat
import Storage

extension CondemnedLists {
    /// Packs that a repair has found damaged.
    var damagedPacks: Set<ObjectName> { lists.reduce(into: []) { if $1.list.kind == .damaged { $0.formUnion($1.list.packs) } } }
}
