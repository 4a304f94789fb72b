/// Why a structure on a disk is not believed.
enum InspectionFailure: Error, Equatable {
    /// The source could not be read there, or ends before.
    case unreadable(offset: UInt64)
    /// What is there contradicts itself, or is nothing that this program knows for sure; in words that a user reads.
    case notProvable(String)

    var text: String {
        switch self {
        case .unreadable(let offset): "byte \(offset) cannot be read"
        case .notProvable(let reason): reason
        }
    }
}

/// Throws unless `condition` holds.
func require(_ condition: Bool, _ reason: @autoclosure () -> String) throws(InspectionFailure) {
    if !condition { throw .notProvable(reason()) }
}
