"""A route behind an HS256 bearer, with FastAPI and PyJWT; uvicorn starts it (see ../README.md)."""

import os
from datetime import UTC, datetime
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.responses import PlainTextResponse
from fastapi.security import OAuth2PasswordBearer
from jwt.exceptions import InvalidTokenError

SECRET = jwt.utils.base64url_decode(os.environ["JWT_SECRET"])
ISSUER = os.environ["JWT_ISSUER"]
AUDIENCE = os.environ["JWT_AUDIENCE"]

app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")


async def current_claims(token: Annotated[str, Depends(oauth2_scheme)]) -> dict:
    try:
        return jwt.decode(token, SECRET, algorithms=["HS256"], issuer=ISSUER, audience=AUDIENCE)
    except InvalidTokenError:
        raise HTTPException(
            status_code=status.HTTP_401_UNAUTHORIZED,
            detail="Could not validate credentials",
            headers={"WWW-Authenticate": "Bearer"},
        )


@app.get("/api/home", response_class=PlainTextResponse)
async def home(claims: Annotated[dict, Depends(current_claims)]):
    return datetime.now(UTC).date().isoformat()
