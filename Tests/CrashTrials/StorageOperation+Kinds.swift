import Storage
import TestSupport

/// The calls after which processes die that leave something to others.
extension StorageOperation {
    var isPutOfMapPack: Bool { if case .put(let name, _) = self { name.kind == .maps } else { false } }
    var isPutOfList: Bool { if case .put(let name, _) = self { name.isList } else { false } }
    var isPutOfVerdict: Bool { if case .put(let name, _) = self { name.isVerdict } else { false } }
    var isDeletionOfPack: Bool { if case .delete(let name) = self { name.kind == .packs || name.kind == .maps } else { false } }
    var isDeletionOfList: Bool { if case .delete(let name) = self { name.kind == .condemned } else { false } }
}

extension ObjectName {
    var isList: Bool { kind == .condemned && !isVerdict }
    var isVerdict: Bool { kind == .condemned && leaf.hasSuffix(".verdict") }
}
