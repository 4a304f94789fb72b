/// What is interrupted: each operation of a repository, from one or several beginnings.
///
/// A new operation is a case here and its script in `CrashOperation+Scripts`.
package enum CrashOperation: String, CaseIterable, Sendable {
    case initialize
    case firstBackup
    case incrementalBackup
    /// Of the same image again: nothing new, and a snapshot all the same.
    case unchangedBackup
    /// Finds the session and the packs of a backup that was killed.
    case backupAfterKilledBackup
    /// Packs that it needs are condemned, and nothing is decided about them.
    case backupAfterCondemningPrune
    /// Some of the condemned packs are gone.
    case backupAfterDeletingPrune
    case forget
    case undelete
    case protect
    case unprotect
    case endSession
    /// Repacks as well: of the packs that stay a part is needed.
    case prune
    /// Of so many small packs and index objects that they are merged.
    case pruneThatMerges
    /// Of several forgotten among several snapshots that share data.
    case pruneOfSeveral
    case pruneAfterKilledBackup
    case pruneAfterCondemningPrune
    case pruneAfterDecidingPrune
    case pruneAfterDeletingPrune
    /// Index objects name packs that are gone.
    case pruneAfterFinishedDeletion
    /// What is condemned has come to be needed again.
    case pruneThatSpares
    /// One after the other by the same process; something is forgotten in between.
    case twoPrunes
    /// A policy's forgetting and the prune after it.
    case forgetAndPrune
    case addKey
    case addKeyAmongSeveral
    case removeKey
    case removeKeyAmongSeveral
    case changeKey
    case changeKeyAmongSeveral
    /// Every index object is gone: all of it is made anew from the packs.
    case repairOfMissingIndex
    /// Every index object is damaged.
    case repairOfDamagedIndex
    /// A pack of data and one of maps are damaged.
    case repairOfDamagedPacks
    /// The session of a killed backup, the list of a killed prune and the manifest of a snapshot are damaged.
    case repairOfDamagedRecords
    /// Of the image whose packs a repair has condemned: earlier snapshots are whole again.
    case backupAfterRepair
    /// What was damaged and condemned has been stored again.
    case pruneAfterHealing
}
