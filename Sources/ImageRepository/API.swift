
// What the implementation must offer; each is written in the folder of its verb.
//
// public final class Repository: Sendable {
//   public struct CreationOptions { averageChunkByteCount = 32 KiB; passwordCost = .moderate; label = "first"; init() }
//   public static func create(on: any StorageBackend, credential: Credential, options: CreationOptions, environment: ClientEnvironment)
//       throws(RepositoryError) -> (repository: Repository, recoveryKey: KeyFile)
//   public static func open(on: any StorageBackend, credential: Credential, environment: ClientEnvironment) throws(RepositoryError) -> Repository
//   public var id: RepositoryID; public var role: Role; public var slot: SlotID; public var config: Config; public var place: String
//   public var warnings: [String]                       // e.g. the cache or state folder cannot be written
//
//   public func snapshots(includingForgotten: Bool = false) throws(RepositoryError) -> SnapshotList
//   public func snapshot(_ selector: SnapshotSelector) throws(RepositoryError) -> Snapshot
//   public func backup(_ sources: [BackupSource], options: BackupOptions, progress: ProgressCounters, cancellation: Cancellation)
//       throws(RepositoryError) -> BackupReport
//   public func image(_ name: String?, of: Snapshot) throws(RepositoryError) -> ImageRecord   // nil: the only one
//   public func reader(for: ImageRecord) throws(RepositoryError) -> RepositoryImageReader     // an ImageReader
//   public func restore(_ image: ImageRecord, to: any ImageWriter, targetName: String, options: RestoreOptions, progress:, cancellation:)
//       throws(RepositoryError) -> RestoreReport
//   public func check(_ options: CheckOptions, progress:, cancellation:) throws(RepositoryError) -> CheckReport
//   public func statistics() throws(RepositoryError) -> RepositoryStatistics
//   public func differences(from: Snapshot, to: Snapshot) throws(RepositoryError) -> [ImageDifference]
//
//   public var slots: [Keyring.Slot]                    // of the newest keyring
//   public func addSlot(role: Role, credential: Credential, cost: PasswordCost, label: String) throws(RepositoryError) -> SlotID
//   public func removeSlot(_ id: SlotID) throws(RepositoryError)            // never the last full one, never the own one
//   public func changeCredential(to: Credential, cost: PasswordCost) throws(RepositoryError) -> SlotID  // of the own slot: adds a slot with the same role, removes the old
// }
