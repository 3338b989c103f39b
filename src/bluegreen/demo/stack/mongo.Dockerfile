# A stand-in for the database; the demo builds it when mongo:latest is absent, and removes it afterwards.
ARG BASE=python:3.11-slim
FROM ${BASE}
ENV HOST=0.0.0.0 PYTHONUNBUFFERED=1
COPY db.py /db.py
EXPOSE 27017
STOPSIGNAL SIGTERM
ENTRYPOINT ["python3", "/db.py", "--port", "27017"]
