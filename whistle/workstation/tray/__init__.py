"""What a reviewer wrote and what is not sent yet: the tray, and drafts."""
