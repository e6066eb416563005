"""Pictures of sales, uploaded or by address, and the one page with a picture of elsewhere, in both faces."""

import html
import io
import random
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image

from storefront.config import Config
from storefront.domain.account import Account
from storefront.domain.errors import (
    AddressNotAllowed,
    NotAPicture,
    NothingFetched,
    Overloaded,
    PictureNotStored,
    PictureTooHeavy,
)
from storefront.domain.sale import Sale
from storefront.services import accounts, imaging, pictures
from storefront.services.pictures import State
from storefront.shop import Shop
from storefront.stores import keys
from storefront.stores.memory import Memory
from storefront.stores.pictures import Awaited
from storefront.web import sessions
from storefront.web.selling import LARGEST_UPLOAD
from tests.conftest import eventually
from tests.faces import Face, Person, Program
from tests.web.test_sales import live

ELSEWHERE = "http://127.0.0.1:9/a.png"


def png(seed: int = 0, size: tuple[int, int] = (700, 500)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (seed % 256, 90, 120)).save(out, "PNG")
    return out.getvalue()


def file(content: bytes, name: str = "picture.png") -> tuple[io.BytesIO, str]:
    return io.BytesIO(content), name


def shown_in(page: str) -> list[str]:
    """The addresses of a page's first picture."""
    found = re.search(r'srcset="([^"]+)"', page)
    return [part.split()[0] for part in html.unescape(found[1]).split(", ")] if found else []


def test_an_uploaded_picture_is_shown_in_every_width_and_kept_by_caches(app: Flask, shop: Shop) -> None:
    person, fields = Person(app), live(picture=file(png()))
    assert person.post("/createmiaosha", fields).first == 303
    page = person.get(f"/miaosha/{fields['name']}").text
    assert 'width="700" height="500"' in page
    addresses = shown_in(page)
    assert [address.rpartition("-")[2] for address in addresses] == ["320.webp", "640.webp", "700.webp"]
    answer = person.client.get(addresses[1])
    assert (answer.status_code, answer.mimetype) == (200, "image/webp")
    assert Image.open(io.BytesIO(answer.data)).size == (640, 457)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert {"public", "max-age=31536000", "immutable"} == set(answer.headers["Cache-Control"].split(", "))
    sale = shop.sales.of_product(str(fields["name"]))
    assert sale is not None
    assert sale.terms.image == f"picture:{addresses[0].removeprefix('/pictures/').rpartition('-')[0]}"
    told = Program(app).get(f"/miaosha/{fields['name']}").json["image"]
    assert told == f"http://localhost{addresses[-1]}"


@pytest.mark.parametrize("seed", range(6))
def test_a_photo_is_taken_wherever_the_parser_of_forms_cuts_it(app: Flask, seed: int) -> None:
    noise = random.Random(seed).randbytes(900 * 700 * 3)  # what hardly compresses, as photos do
    out = io.BytesIO()
    Image.frombytes("RGB", (900, 700), noise).save(out, "JPEG", quality=95)
    assert Person(app).post("/createmiaosha", live(picture=file(out.getvalue(), "photo.jpg"))).first == 303


def test_who_uploads_while_others_are_in_line_is_asked_to_come_back(app: Flask, shop: Shop) -> None:
    fields = live(picture=file(png(7)))
    with ExitStack() as line:
        for _ in range(imaging.MOST_IN_LINE):
            line.enter_context(imaging._in_line)
        answer = Person(app).post("/createmiaosha", fields)
    assert answer.says(Overloaded)
    assert shop.sales.of_product(str(fields["name"])) is None


def test_no_cookie_and_no_condition_goes_along_with_a_picture(
    app: Flask, somebody: Callable[..., Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SIGNED_ANEW", 0)
    person, fields = Person(app), live(picture=file(png()))
    person.log_in(somebody().name)
    person.post("/createmiaosha", fields)
    answer = person.client.get(shown_in(person.get(f"/miaosha/{fields['name']}").text)[0])
    assert not {"Set-Cookie", "Vary"} & set(answer.headers.keys())
    assert "Set-Cookie" in person.client.get("/").headers  # elsewhere a session lives on by being used


@pytest.mark.parametrize(
    "name", ["x", "..%2f..%2fenv", "sales", "sales%2fx", ".hidden", f"{'0' * 32}-9x9-9.webp", "%00"]
)
def test_what_is_no_picture_is_not_found(app: Flask, name: str) -> None:
    answer = app.test_client().get(f"/pictures/{name}")
    assert answer.status_code == 404
    assert "immutable" not in answer.headers["Cache-Control"]


WRONG: dict[str, tuple[bytes, Any]] = {
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', NotAPicture),
    "HTML": (b"<script>alert(1)</script>", NotAPicture),
    "large": (b"\0" * (imaging.MOST_BYTES + 1), PictureTooHeavy),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_upload_is_told_beside_the_field_and_opens_nothing(app: Flask, shop: Shop, kind: str) -> None:
    content, refusal = WRONG[kind]
    fields = live(picture=file(content), description="typed with care")
    answer = Person(app).post("/createmiaosha", fields)
    assert answer.status == 400
    assert f'id="picture-error">{refusal.sentence % {"most": 8}}<' in answer.text
    assert "typed with care" in answer.text
    assert shop.sales.of_product(str(fields["name"])) is None


def test_a_file_and_an_address_together_are_one_too_many(app: Flask, shop: Shop) -> None:
    fields = live(picture=file(png()), image=ELSEWHERE)
    answer = Person(app).post("/createmiaosha", fields)
    assert answer.status == 400
    assert "Give a file or a web address, not both." in answer.text
    assert shop.sales.of_product(str(fields["name"])) is None


def test_programs_give_addresses_alone_and_files_come_in_their_own_field(app: Flask) -> None:
    answer = Program(app).post("/createmiaosha", live(picture="x"))
    assert (answer.status, list(answer.json["fields"])) == (400, ["picture"])
    assert Person(app).post("/createmiaosha", live(producter=file(png()))).status == 400
    assert Person(app).post("/createmiaosha", live(picture="typed, not chosen")).status == 400


def test_an_address_that_tells_a_password_is_refused(face: Face) -> None:
    answer = face.post("/createmiaosha", live(image="https://me:secret@pictures.example/a.png"))
    assert answer.status == 400
    assert "must not contain a user name or a password" in answer.text


def test_larger_bodies_are_for_pictures_of_those_who_may_open_sales(
    app: Flask, app_with: Callable[..., Flask], shop: Shop, somebody: Callable[..., Account]
) -> None:
    large = png() + b"\0" * 200_000
    assert Person(app).post("/createmiaosha", live(picture=file(large))).first == 303
    assert Person(app).post("/createmiaosha", live(picture=file(b"\0" * LARGEST_UPLOAD))).status == 413
    assert Person(app).post("/createmiaosha", live(description="x" * 300_000, picture=file(png()))).status == 413
    assert Person(app).post("/register", {"name": file(large)}).status == 413
    assert Program(app).post("/createmiaosha", live(description="x" * 100_000)).status == 413
    person, account = Person(app_with(sales_open_to="merchants")), somebody()
    person.log_in(account.name)
    assert person.post("/createmiaosha", live(picture=file(large))).status == 413
    accounts.grant_merchant(shop, account.name)
    assert person.post("/createmiaosha", live(picture=file(large))).first == 303


def test_the_same_picture_uploaded_at_once_is_one_picture(app: Flask, config: Config) -> None:
    content = png(77, (900, 900))
    before = {path.name for path in Path(config.pictures).iterdir()}
    sales = [live(picture=file(content)) for _ in range(imaging.MOST_IN_LINE)]
    with ThreadPoolExecutor(imaging.MOST_IN_LINE) as pool:
        answers = list(pool.map(lambda fields: Person(app).post("/createmiaosha", fields).first, sales))
    assert answers == [303] * imaging.MOST_IN_LINE
    images = {Program(app).get(f"/miaosha/{fields['name']}").json["image"] for fields in sales}
    assert len(images) == 1
    new = {path.name for path in Path(config.pictures).iterdir()} - before
    assert len(new - {"sales", "drafts"}) == 3  # a file for each width, and nothing half done


def test_a_folder_that_cannot_be_written_to_opens_no_sale(
    app_with: Callable[..., Flask], shop: Shop, tmp_path: Path
) -> None:
    fields = live(picture=file(png()))
    answer = Person(app_with(pictures=str(tmp_path / "gone"))).post("/createmiaosha", fields)
    assert answer.status == 500
    assert PictureNotStored.sentence in answer.text
    assert shop.sales.of_product(str(fields["name"])) is None


def test_a_picture_by_address_is_fetched_behind_the_sales_back(
    app: Flask, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(image=ELSEWHERE)
    path = f"/miaosha/{sale.product}"
    assert Program(app).get(path).json["image"] == ELSEWHERE
    assert ELSEWHERE not in Person(app).get(path).text
    assert pictures.fetch_for(shop, sale.id, False, lambda address, _: png() if address == ELSEWHERE else b"")
    assert not pictures.fetch_for(shop, sale.id, False, lambda *_: pytest.fail("it is there already"))
    told = Program(app).get(path).json["image"]
    assert told.startswith("http://localhost/pictures/")
    assert shown_in(Person(app).get(path).text)[-1] == told.removeprefix("http://localhost")
    assert Program(app).get(f"/dashboard/{sale.id}").json["picture"] == {"state": "stored"}


def test_the_shop_fetches_nothing_from_inside_and_its_merchant_is_told(
    face: Face, shop: Shop, a_sale: Callable[..., Sale]
) -> None:
    sale = a_sale(image="http://127.0.0.1:9/none.png")  # the running shop's own worker finds it
    eventually(lambda: pictures.standing(shop, sale.id, sale.terms.image).state is State.FAILED)
    answer = face.get(f"/dashboard/{sale.id}")
    if answer.json:
        assert answer.json["picture"]["state"] == "failed"
        assert answer.json["picture"]["code"] == AddressNotAllowed.code
        assert answer.json["image"] == sale.terms.image
    else:
        assert "The picture could not be had from its address" in answer.text
        assert AddressNotAllowed.sentence in answer.text


@pytest.fixture
def awaited(config: Config) -> Awaited:
    """A list that no running worker reads, of one sale."""
    memory = Memory(re.sub(r"/0$", "/7", config.redis_url))
    memory.redis.delete(keys.PICTURES_DUE, keys.PICTURES_TRIED, keys.PICTURES_FAILED)
    memory.redis.zadd(keys.PICTURES_DUE, {"a sale": 1000})
    return Awaited(memory, (10, 20))


def test_what_fails_is_tried_again_later_and_later_and_then_no_more(awaited: Awaited) -> None:
    assert awaited.take(999) is None
    taken = [awaited.take(now) for now in (1000, 1009, 1010, 1029, 1030)]
    assert taken == [("a sale", False), None, ("a sale", False), None, ("a sale", True)]
    assert awaited.standing("a sale") == (True, None)
    assert awaited.take(2000) is None  # whoever took it last died of it
    assert awaited.standing("a sale") == (False, None)


def test_a_stranger_who_gives_nothing_is_asked_again_and_one_who_gives_no_picture_is_not(
    shop: Shop, a_sale: Callable[..., Sale], monkeypatch: pytest.MonkeyPatch, awaited: Awaited
) -> None:
    sale = a_sale(image=ELSEWHERE)
    monkeypatch.setattr(shop, "awaited", awaited)
    state = partial(pictures.standing, shop, sale.id, ELSEWHERE)

    def nothing(_address: str, _most: int) -> bytes:
        raise NothingFetched(why="HTTP 500")

    for last, give, then, why in (
        (False, nothing, State.AWAITED, NothingFetched),
        (True, nothing, State.FAILED, NothingFetched),
        (False, lambda *_: b"<svg/>", State.FAILED, NotAPicture),
        (False, lambda *_: b" " * (imaging.MOST_BYTES + 1), State.FAILED, PictureTooHeavy),
    ):
        awaited._memory.redis.zadd(keys.PICTURES_DUE, {sale.id: 1})
        assert not pictures.fetch_for(shop, sale.id, last, give)
        assert (state().state, type(state().fault)) == (then, why)


def test_no_page_asks_another_host_but_the_account_for_its_own_avatar(
    app: Flask, somebody: Callable[..., Account]
) -> None:
    person, account = Person(app), somebody()
    person.log_in(account.name)
    for path in ("/", "/orders", "/createmiaosha"):
        answer = person.client.get(path, headers=person.headers)
        assert "img-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "http:" not in answer.headers["Content-Security-Policy"]
        assert account.profile.avatar not in answer.text
    answer = person.client.get("/account", headers=person.headers)
    assert answer.headers["Content-Security-Policy"].endswith("img-src 'self' http: https:")
    assert f'src="{account.profile.avatar}" alt="" referrerpolicy="no-referrer"' in answer.text


def test_an_account_is_shown_to_its_owner_alone(face: Face, shop: Shop, somebody: Callable[..., Account]) -> None:
    answer = face.get("/account")
    assert "Invalid token" in answer.text or "Please log in first." in answer.text
    account = somebody()
    accounts.grant_merchant(shop, account.name)
    face.log_in(account.name)
    answer = face.get("/account")
    profile = account.profile
    if answer.json:
        assert answer.json == {
            "name": profile.name, "age": 20, "address": profile.address, "avatar": profile.avatar, "merchant": True,
        }  # fmt: skip
    else:
        assert profile.address in answer.text
        assert "you may open sales" in answer.text
