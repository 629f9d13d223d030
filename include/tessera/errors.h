/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The error table: spec/hypercalls.md, HC-ERR. A hypercall returns 0 or one of these, negated, in RAX.
 * X(number, name, Linux errno the kernel modules map it to, text)
 */
#ifndef TESSERA_ERRORS_H
#define TESSERA_ERRORS_H

#define TSR_ERRORS(X)                                                                              \
	X(1, CALL, ENOSYS, "no such call, or not for this kind of domain")                         \
	X(2, ARG, EINVAL, "an argument is out of range or a reserved field is not zero")           \
	X(3, MAILBOX, ENXIO, "this virtual CPU has no mailbox registered")                         \
	X(4, STATE, EBADFD, "the guest or virtual CPU is not in a state that allows this")         \
	X(5, FRAME, EFAULT, "a page is not the caller's, or its state does not allow this")        \
	X(6, TOKEN, ESTALE, "no such token: never issued, revoked, or mapped once already")        \
	X(7, BIND, EACCES, "the token exists but is bound to something else than was named")       \
	X(8, BUSY, EBUSY, "in use: wait for its holder to let go")                                 \
	X(9, AGAIN, EAGAIN, "begun and not finished: repeat the call to continue it")              \
	X(10, NOMEM, ENOMEM, "the guest needs more donated table pages")                           \
	X(11, LIMIT, EDQUOT, "a limit is reached: see the limits in TSR_CALL_INFO")                \
	X(12, NODEV, ENODEV, "no such device in the guest's measured configuration")               \
	X(13, GUEST, ESRCH, "no such guest")                                                       \
	X(14, POLICY, EPERM, "the guest's measured policy forbids this")                           \
	X(15, UNSAFE, EPERM, "this machine may run no guests: see the hypervisor's boot messages")

#define TSR_ERROR_ENUM(number, name, errno_name, text) TSR_E_##name = (number),
enum tsr_error { TSR_OK = 0, TSR_ERRORS(TSR_ERROR_ENUM) };
#undef TSR_ERROR_ENUM

#endif
