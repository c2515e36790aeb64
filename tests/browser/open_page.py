"""Opening pages in a browser."""

from playwright.sync_api import Browser, Page


class OpenPage:
    """Opens pages and remembers what they complained about or tried to fetch."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def __call__(self, url: str, *, size: tuple[int, int] = (1440, 900), scheme: str = "light") -> Page:
        width, height = size
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
        )
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(url)
        page.wait_for_selector("html[data-ready]")
        return page
