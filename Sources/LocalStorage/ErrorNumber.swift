import Glibc
import Storage

/// What a failed system call left in `errno`.
package struct ErrorNumber: Error, Equatable, Sendable {
    package let code: Int32

    package init(code: Int32) { self.code = code }

    /// Of the call that has just failed on this thread.
    static var last: ErrorNumber { ErrorNumber(code: errno) }

    /// The same fault in the terms of the layer above.
    func storageError(object: String, operation: String) -> StorageError {
        switch code {
        case ENOSPC, EDQUOT:
            .full(object: object)
        case EACCES:
            .accessDenied(
                object: object, reason: "no permission for \(operation); this user needs read and write access to the repository")
        case EPERM:
            .accessDenied(object: object, reason: "\(operation) is not permitted; is the file or folder marked immutable?")
        case EROFS:
            .readOnly(object: object)
        case EAGAIN, EBUSY, EINTR, EMFILE, ENFILE, ENOMEM, ESTALE, ETIMEDOUT, EHOSTDOWN, EHOSTUNREACH, ENETDOWN, ENETUNREACH:
            .unavailable(object: object, reason: "\(operation): \(text)")
        case ELOOP:
            .failed(object: object, operation: operation, reason: "it is a symbolic link, which no object is")
        default:
            .failed(object: object, operation: operation, reason: text)
        }
    }

    private var text: String {
        // Safe: glibc's strerror answers from constant or thread-local memory.
        unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }
}

/// Makes a system call again for as long as a signal interrupts it.
func retryingInterrupts<Outcome>(_ call: () throws(ErrorNumber) -> Outcome) throws(ErrorNumber) -> Outcome {
    while true {
        do throws(ErrorNumber) {
            return try call()
        } catch {
            guard error.code == EINTR else { throw error }
        }
    }
}
