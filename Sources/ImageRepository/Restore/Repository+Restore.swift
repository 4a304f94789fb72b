import Bytes
public import DiskImages
import Glibc
import Packing
public import RepositoryFormat
import Sealing
import Synchronization
import Threading

extension Repository {
    /// Writes an image of a snapshot to a target.
    ///
    /// Every chunk is verified before its bytes are written; what cannot be verified stops the restore with the chunk's object named. After
    /// a failure the target is not complete, and one that the writer created is removed. Who is asked to stop while it is read back returns a report that says so.
    /// - Parameter targetName: for messages.
    /// - Throws: `.notPermitted` for a key of role backup; `.damaged`, `.missingChunk`, `.verificationFailed`, `.image`, `.storage`, `.cancelled`.
    public func restore(
        _ image: ImageRecord, to writer: any ImageWriter, targetName: String, options: RestoreOptions, progress: ProgressCounters,
        cancellation: Cancellation
    ) throws(RepositoryError) -> RestoreReport {
        try demand(.full, to: "restore")
        if options.verifies, writer.isOrdered { throw .invalid("\(targetName): an output stream cannot be read back; restore without verifying") }
        try options.fitted?.requireWhole()
        let target = RestoreTarget(
            writer, discards: options.discards, averageChunkByteCount: image.volumes.map(\.averageChunkByteCount).max() ?? 0)
        let byteCount = options.fitted?.byteCount ?? image.byteCount
        let makeRun = { () throws(RepositoryError) -> RestoreRun in
            RestoreRun(
                placements: options.fitted?.placements ?? image.placements, inserts: options.fitted?.inserts ?? [], label: options.fitted?.label ?? [],
                reader: self.segmentReader(try self.loadIndex(adoptsOrphans: true).index), member: self.sealer.member, target: target, targetName: targetName,
                threadCount: max(1, options.threadCount ?? usableCoreCount() + RestoreRun.writingThreadCount), progress: progress, cancellation: cancellation)
        }
        var run = try makeRun()
        do throws(RepositoryError) {
            progress.totalByteCount.store(byteCount * (options.verifies ? 2 : 1), ordering: .relaxed)
            try imaging { () throws(ImageError) in try writer.prepare(byteCount: byteCount) }
            var unreadable: [Range<UInt64>] = []
            // What goes to a pipe cannot be written a second time.
            var attemptCount = writer.isOrdered ? 1 : RestoreRun.attemptCountMax
            while true {
                do throws(RepositoryError) {
                    unreadable = try run.write()
                    break
                } catch {
                    attemptCount -= 1
                    guard error.isMissingData, attemptCount > 0 else { throw error }
                    // Ordering 17: a prune has moved what is needed since the index was read.
                    progress.doneByteCount.store(0, ordering: .relaxed)
                    run = try makeRun()
                }
            }
            // From here on the target becomes complete, and an interruption must not say anything else.
            try cancellation.check()
            try imaging { () throws(ImageError) in try writer.finish() }
            return RestoreReport(
                imageByteCount: byteCount, writtenByteCount: run.target.writtenByteCount.load(ordering: .relaxed),
                discardedByteCount: run.target.discardedByteCount, unreadable: unreadable, unreadableParts: run.placements.unreadableParts(unreadable),
                isVerified: options.verifies ? try verified(run) : false)
        } catch {
            // The error that stopped the restore is the one to tell.
            do throws(ImageError) { try writer.discardIncomplete() } catch {}
            throw error
        }
    }

    /// False if it was asked to stop meanwhile: what is not read back is complete all the same.
    private func verified(_ run: RestoreRun) throws(RepositoryError) -> Bool {
        do throws(RepositoryError) { try run.verify() } catch {
            guard case .cancelled = error else { throw error }
            return false
        }
        return true
    }
}
