"""A customer of the sandbox: what the tests do with its API, over real sockets."""

from typing import Any, Protocol

import httpx

from sandbox.server import Sandbox


class Customer:
    """Logs in when it must and asks; the answers come back as they are."""

    def __init__(self, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
        self.sandbox = sandbox
        self.http = http
        self.token: str | None = None

    async def log_in(self) -> httpx.Response:
        headers = {"Email": self.sandbox.email, "AccessToken": self.sandbox.access_token}
        answer = await self.http.post("/v1/Tokens", headers=headers)
        self.token = answer.json().get("Value")
        return answer

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(path, headers=await self._bearer())

    async def post(self, body: object) -> httpx.Response:
        return await self.http.post("/v1/Orders", json=body, headers=await self._bearer())

    async def order(self, po: str = "PO-1", quantity: int = 3, **more: object) -> httpx.Response:
        return await self.post(an_order(po, quantity) | more)

    async def read(self, answer: httpx.Response) -> dict[str, Any]:
        """Read the order that *answer* names, once more."""
        again = await self.get(f"/v1/Orders/{answer.json()['Id']}")
        assert again.status_code == 200, again.text
        return dict(again.json())

    async def control(self, path: str, body: object = None, method: str = "GET") -> Any:  # noqa: ANN401 - any JSON
        answer = await self.http.request(method, f"/_sandbox/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def faults(self, **faults: object) -> None:
        await self.control("faults", faults, "PUT")

    async def _bearer(self) -> dict[str, str]:
        if self.token is None:
            await self.log_in()
        return {"Authorization": f"Bearer {self.token}"}


class StartSandbox(Protocol):
    async def __call__(self, **options: object) -> Customer: ...


def an_order(po: str = "PO-1", quantity: int = 3, value: object = 10) -> dict[str, Any]:
    item = {"ProductId": "CVS", "Value": value, "Quantity": quantity}
    return {"Type": "Links", "PONumber": po, "LineItems": [item]}


def urls(order: dict[str, Any]) -> list[str]:
    return [link["Url"] for item in order["LineItems"] for link in item["Links"]]
