package import RepositoryFormat

// What a manifest tells of a disk is read with care: another version may have written what this one does not know. Then it counts as not told.

extension DiskLabel {
    /// Nil for null and for what is not understood.
    package init?(ofImage json: JSONValue) {
        guard json != .null else { return nil }
        do throws(DiskLayoutError) { try self.init(json) } catch { return nil }
    }
}

extension FileSystemDescription {
    /// Nil for null and for what is not understood.
    package init?(ofVolume json: JSONValue) {
        guard json != .null else { return nil }
        do throws(DiskLayoutError) { try self.init(json) } catch { return nil }
    }
}
