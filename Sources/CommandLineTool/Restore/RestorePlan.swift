import DiskImages
import Glibc
import ImageRepository
import RepositoryFormat

/// What a restore would do to its target.
struct RestorePlan {
    let target: String
    /// Whether something is lost.
    let overwrites: Bool
    /// Sentences for whoever has to decide.
    let consequences: [String]

    /// - Throws: when the target cannot be one at all: a folder, something inside the repository, a device that is too small.
    init(target: String, image: ImageRecord, fitted: FittedImage?, snapshot: Snapshot, repository: Repository) throws(Failure) {
        self.target = target
        let isInside = try imageCall { () throws(ImageError) in try ImageTarget.isInside(target, repository.place) }
        guard !isInside else { throw Failure("\(target): it lies inside the repository; name a target elsewhere") }
        var status = stat()
        guard unsafe stat(target, &status) == 0 else {
            (overwrites, consequences) = (false, ["\(target) does not exist yet and will be made."] + (fitted.map { LayoutText.sentences(image, $0) } ?? []))
            return
        }
        if let reason = try imageCall({ () throws(ImageError) in try ImageTarget.usage(of: target) }) {
            throw Failure(ImageError.inUse(path: target, reason: reason))
        }
        var consequences: [String] = []
        let isDevice = status.st_mode & S_IFMT == S_IFBLK
        guard isDevice || status.st_mode & S_IFMT == S_IFREG else {
            throw Failure("\(target): it is neither a file nor a block device; name one of them, or - for standard output")
        }
        if isDevice {
            let byteCount = try imageCall { () throws(ImageError) in try FileImageReader(path: target).byteCount }
            guard byteCount >= fitted?.byteCount ?? image.byteCount else {
                throw Failure("\(target): it has \(CountText.of(byteCount, "byte")), and the image needs \(image.byteCount); name a larger device")
            }
            consequences.append("\(target) is a block device of \(ByteText.of(byteCount)); everything on it will be lost.")
        } else if status.st_size > 0 {
            consequences.append("\(target) is a file of \(ByteText.of(UInt64(status.st_size))); what it holds will be lost.")
        }
        if RestorePlan.isSource(target, image, snapshot) {
            consequences.append("It is the source that this snapshot was made from, or a part of it (\(image.source.path)).")
        }
        consequences += fitted.map { LayoutText.sentences(image, $0) } ?? []
        overwrites = isDevice || status.st_size > 0
        self.consequences = consequences
    }

    /// Whether writing to the target changes what the image was once read from, as far as this machine can tell.
    private static func isSource(_ target: String, _ image: ImageRecord, _ snapshot: Snapshot) -> Bool {
        guard image.source.kind != SourceIdentity.Kind.stream.rawValue, snapshot.manifest.machineID == ThisMachine.machineID else { return false }
        do throws(ImageError) {
            try ImageTarget.refuseIfSame(source: image.source.path, target: target)
            return false
        } catch {
            if case .unsuitable = error { return true }
            // The source may be gone, or not for us to look at: then nothing can be said.
            return false
        }
    }

    /// Goes on if nothing is lost, if `isAnswered`, or if the person at the terminal says so.
    static func confirm(_ jobs: [RestoreJob], isAnswered: Bool, _ console: Console) throws(Failure) {
        let plans = jobs.compactMap(\.plan)
        guard plans.contains(where: \.overwrites), !isAnswered else { return }
        guard isatty(STDIN_FILENO) == 1, TerminalPrompt.isPossible else {
            throw Failure("\(plans.flatMap(\.consequences).joined(separator: " ")) Nothing was done; --yes overwrites it")
        }
        for job in jobs {
            console.error("About to restore \(job.what).")
            for line in job.plan?.consequences ?? [] { console.error(line) }
        }
        let targets = plans.filter(\.overwrites).map(\.target).joined(separator: ", ")
        guard try TerminalPrompt.confirm("Overwrite \(targets)?") else { throw Failure("\(targets): nothing was done") }
    }
}
