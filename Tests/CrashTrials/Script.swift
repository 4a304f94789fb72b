import Bytes
import ImageRepository
import RepositoryFormat
import Sealing
import Storage

/// One operation with its beginning, what it does, and what must be there afterwards.
package struct Script: Sendable {
    /// What the storage holds before; nothing in it is volatile.
    var storage = MemoryStorage()
    /// Of the keys that may open the repository, the one that opens it before, and of those that do so afterwards the one to go on with.
    var keys: [KeyFile] = []
    /// What was backed up, by snapshot: the oracle.
    var contents: [SnapshotID: [UInt8]] = [:]
    /// Those that must be listed and be restored whatever happens.
    var needed: Set<SnapshotID> = []
    /// The same for those that the operation brings back.
    var neededOnceDone: Set<SnapshotID> = []
    /// What a snapshot holds that the operation makes.
    var made: [UInt8]?
    /// Neither it nor what came before deletes or condemns packs. Then the index names packs only that are there, and a backup after a death finds all that
    /// there is: no chunk is stored twice. After an error it may pass over what it could not read.
    var deletesNoPacks = false
    /// What is damaged before the operation.
    var damage: Damage?
    /// Only of `initialize`.
    var makesRepository = false
    /// Another key may open the repository afterwards, and a check may warn for ever of a key object that no keyring names.
    var changesKeys = false

    /// After a death the operation is repeated so often, each time from what was left, and dies again.
    package var secondDeathCount = 24
    /// Of what each of these may leave, so much is examined.
    var secondStateCountMax = 8

    /// The operation itself. The client is nil if there is no repository.
    var perform: @Sendable (Client?, any StorageBackend) throws -> Void = { _, _ in }
    /// Whether it has taken effect, as far as somebody sees who opens the repository anew.
    var isDone: @Sendable (Finding) throws -> Bool = { _ in true }

    /// The client of the process `processID`, if there is a repository that one of the keys opens.
    func open(_ storage: any StorageBackend, processID: UInt64) throws -> Client? {
        for key in keys {
            if let client = try Client(storage, key, processID: processID, damage) { return client }
        }
        return nil
    }
}
