package import Storage

/// One call of a backend, as a log records it.
package enum StorageOperation: Equatable, Sendable, CustomStringConvertible {
    case prepare
    case put(ObjectName, byteCount: Int)
    case barrier
    case get(ObjectName)
    case stat(ObjectName)
    case list(ObjectKind)
    case delete(ObjectName)

    /// Whether the call is meant to change what is stored or how durable it is.
    package var isMutating: Bool {
        switch self {
        case .prepare, .put, .barrier, .delete: true
        case .get, .stat, .list: false
        }
    }

    package var description: String {
        switch self {
        case .prepare: "prepare"
        case .put(let name, let byteCount): "put \(name) (\(byteCount) bytes)"
        case .barrier: "barrier"
        case .get(let name): "get \(name)"
        case .stat(let name): "stat \(name)"
        case .list(let kind): "list \(kind)"
        case .delete(let name): "delete \(name)"
        }
    }
}
