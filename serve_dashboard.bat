@echo off
rem Serves the dashboard; arguments are those of serve_dashboard.py
cd /d "%~dp0"
set "NIGHTFORGE_PYTHON=python"
where py >nul 2>nul && set "NIGHTFORGE_PYTHON=py -3"
%NIGHTFORGE_PYTHON% serve_dashboard.py %*
exit /b %errorlevel%
