import Glibc

/// Deliberate faults, by which `Tests/mutants` shows that the campaigns find such faults. Only a build with HOLDFAST_MUTANTS has them; in every other none is
/// ever active.
package enum Mutant: String, CaseIterable, Sendable {
    // The local storage
    case skipsFileSync, skipsFolderSync, forgetsOccupiedFolder, forgetsFoundFolder, swallowsWriteError, takesMissingForEmpty
    // Writers
    case acknowledgesBeforeBarrier, skipsBarrierBeforeIndex, skipsConfirmation, commitsBeforeIndex, readsIndexBeforeCondemned, countsCondemnedPacks
    case reusesStaleCache, registersAfterReading, takesAbortForCommit
    // Maintainers
    case listsSessionsBeforeCondemning, waitsForNobody, skipsRemark, ignoresVerdict, deletesBeforeVerdict, ignoresOtherLists, deletesListBeforePacks
    case deletesIndexBeforeMerging, mergesFromStaleListing, marksFinalAfterRemark, endsProtected, passesOverUnreadable, acceptsFewerSnapshots
    case takesLostMarkForNone, endsForeignSessions
    // Repacking
    case copiesUnverified, condemnsUncopied, keepsUnreadCopy, forgetsOpenedChunks, mixesUpKeys
    // Repairs
    case takesAwayUncopied, takesListWithoutVerdict, condemnsAtFirstSight
    // Keys
    case deletesKeyBeforeKeyring

    #if HOLDFAST_MUTANTS
    private static let active = unsafe getenv("HOLDFAST_MUTANT").flatMap { unsafe Mutant(rawValue: String(cString: $0)) }

    package var isActive: Bool { Mutant.active == self }
    #else
    package var isActive: Bool { false }
    #endif
}
