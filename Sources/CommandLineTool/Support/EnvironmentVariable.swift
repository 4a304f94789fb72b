import Glibc
import Sealing
import Synchronization

/// What the environment says; empty counts as not set.
enum EnvironmentVariable {
    static func text(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }

    private static let password = Mutex<SecretBytes?>(nil)

    /// Takes HOLDFAST_PASSWORD out of the environment; to be called before any program is started.
    static func hideSecrets() {
        if let secret = takeSecret("HOLDFAST_PASSWORD") { password.withLock { $0 = secret } }
    }

    static var hasPassword: Bool { password.withLock { $0 != nil } }

    /// What HOLDFAST_PASSWORD said, once.
    static func takePassword() -> SecretBytes? {
        password.withLock { password in
            defer { password = nil }
            return password
        }
    }

    /// Takes a secret out of the environment, so that programs started later do not inherit it.
    static func takeSecret(_ name: String) -> SecretBytes? {
        guard let value = unsafe getenv(name) else { return nil }
        let byteCount = unsafe strlen(value)
        guard byteCount > 0 else { return nil }
        let secret = unsafe SecretBytes(byteCount: byteCount) { target in
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: value, count: byteCount))
        }
        unsafe explicit_bzero(value, byteCount)
        _ = unsafe unsetenv(name)
        return secret
    }
}
