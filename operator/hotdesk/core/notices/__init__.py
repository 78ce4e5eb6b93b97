"""What people are told of: which change is worth a sentence, and which sentence."""

from hotdesk.core.notices.notice import Notice, NoticeKind, moment

__all__ = ["Notice", "NoticeKind", "moment"]
