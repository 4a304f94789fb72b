public import DiskImages

/// What happens around the reading of the sources, such as holding still what writes to them.
public struct ReadingHooks: Sendable {
    /// Called when nothing but reading is ahead. What it changes of the sources holds, such as layouts that were found only now; their number and
    /// names must stay.
    public var begin: @Sendable (_ sources: inout [BackupSource]) throws(ImageError) -> Void = { (_) throws(ImageError) in }
    /// Called as soon as no source is read any more, before anything is committed; also after a failure, of `begin` too.
    ///
    /// Answers what is wrong with the snapshot: it is warned of, and the snapshot recorded as incomplete.
    public var end: @Sendable () -> [String] = { [] }

    public init() {}
}
