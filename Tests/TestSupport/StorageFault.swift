package import Storage

/// What goes wrong with one call.
package enum StorageFault: Equatable, Sendable {
    /// Nothing happens, and the call throws.
    case fails(StorageError)
    /// It happens all the same, but the caller is told that it did not.
    case replyLost(StorageError)
    /// The process dies before the call: this call and all later ones throw `FaultInjectingStorage.crashed`.
    case crashBefore
    /// The same, but the call happens.
    case crashAfter
}

/// Which calls a position counts. Positions begin with 0.
package enum CountedOperations: Equatable, Sendable {
    case all
    case mutating
}
