import DiskImages
import ImageRepository
import Synchronization

/// What the tool does around the reading of the sources: freezes what is to be frozen, looks into the disks as they are then, and thaws.
final class HeldReading: Sendable {
    private let freeze: SourceFreeze?
    private let inspects: Bool
    private let skipsPageFiles: Bool
    private let console: Console
    private let problems = Mutex<[String]>([])

    init(_ freeze: SourceFreeze?, inspects: Bool, skipsPageFiles: Bool, console: Console) {
        self.freeze = freeze
        self.inspects = inspects
        self.skipsPageFiles = skipsPageFiles
        self.console = console
    }

    var hooks: ReadingHooks {
        var hooks = ReadingHooks()
        hooks.begin = { [self] sources throws(ImageError) in try begin(&sources) }
        hooks.end = { [self] in end() }
        return hooks
    }

    /// Thaws without waiting, for when the backup is asked to stop.
    func release() { freeze?.release() }

    /// What went wrong in the end, for when there is no snapshot to say it of.
    func warn() { for problem in problems.withLock({ $0 }) { console.warn(problem) } }

    private func begin(_ sources: inout [BackupSource]) throws(ImageError) {
        try freeze?.begin()
        for index in sources.indices {
            guard case .image(let reader) = sources[index].content else { continue }
            let file = reader as? FileImageReader
            try file?.beginReading()
            guard inspects else { continue }
            let told = try file.flatMap { file throws(ImageError) in try freeze?.freeSpace(on: file) } ?? [:]
            sources[index].layout = InspectorProgram.layout(of: reader, sources[index].identity, skipsPageFiles: skipsPageFiles, told: told) { console.warn($0) }
        }
    }

    private func end() -> [String] {
        let found = freeze?.end() ?? []
        problems.withLock { $0 += found }
        return found
    }
}
